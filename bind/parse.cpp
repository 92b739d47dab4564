// SPDX-License-Identifier: Apache-2.0
#include "engine/parse/parse.hpp"

#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/variant.h>

#include "bind/bind.hpp"
#include "engine/flow/fields.hpp"

namespace nb = nanobind;

namespace turnout {
namespace {

nb::typed<nb::dict, nb::str, nb::object> parse_frame(const nb::bytes& frame) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(frame.c_str());
    FlowKey key{};
    Layers layers;
    parse({bytes, frame.size()}, static_cast<uint32_t>(frame.size()), Depth::L4, key, layers);
    nb::dict fields;
    for (const auto& [name, value] : describe(key)) fields[nb::cast(name)] = nb::cast(value);
    return fields;
}

}  // namespace

void bind_parse(nb::module_& m) {
    m.def("parse", &parse_frame, nb::arg("frame"),
          "The flow key of an Ethernet frame: fields by their names in ovs-fields(7); addresses are text, all else "
          "numbers.");
}

}  // namespace turnout
