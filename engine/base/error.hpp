// SPDX-License-Identifier: Apache-2.0
// The one error that crosses the seam. Its text is one line for a tired operator: what, where, what to do.
#pragma once

#include <stdexcept>

namespace turnout {

struct Error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace turnout
