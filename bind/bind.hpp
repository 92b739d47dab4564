// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

#include <memory>

#include "engine/base/error.hpp"
#include "engine/openflow/tables.hpp"

namespace turnout {

// A bridge's tables as Python holds them: the bridge may be gone by the time that they are used.
struct TablesRef {
    std::weak_ptr<of::Tables> tables;

    std::shared_ptr<of::Tables> get() const {
        if (auto locked = tables.lock()) return locked;
        throw Error("the bridge is gone");
    }
};

void bind_parse(nanobind::module_& m);
void bind_openflow(nanobind::module_& m);  // before bind_datapath
void bind_datapath(nanobind::module_& m);

}  // namespace turnout
