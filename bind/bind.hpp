// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nanobind/nanobind.h>

namespace turnout {

void bind_parse(nanobind::module_& m);
void bind_datapath(nanobind::module_& m);

}  // namespace turnout
