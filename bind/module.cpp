// SPDX-License-Identifier: Apache-2.0
// The one door between Python and the engine. Each file here binds one subject.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <rte_cycles.h>

#include "bind/bind.hpp"
#include "engine/base/error.hpp"
#include "engine/port/eal.hpp"

namespace nb = nanobind;

NB_MODULE(_engine, m) {
    m.doc() = "The datapath: C++ on DPDK. turnout.Switch is the way to use it.";
    nb::exception<turnout::Error>(m, "EngineError", PyExc_RuntimeError);

    m.def("start_eal", &turnout::start_eal, nb::arg("args"), nb::call_guard<nb::gil_scoped_release>(),
          "Start DPDK with these EAL arguments; a second call does nothing. Raises EngineError.");
    m.def("eal_started", &turnout::eal_started, "Whether DPDK runs in this process.");
    m.def("take_dpdk_log", &turnout::take_dpdk_log, "What DPDK logged since the last call, a line an item.");
    m.def("tsc_hz", &rte_get_tsc_hz, "Cycles a second of the clock that loads are counted in; 0 before start_eal().");

    turnout::bind_parse(m);
    turnout::bind_openflow(m);
    turnout::bind_datapath(m);
}
