// SPDX-License-Identifier: Apache-2.0
// Runs a function inside another network namespace, on a thread of its own: a namespace belongs to a thread.
#pragma once

#include <functional>
#include <string>

namespace turnout {

// `netns`: a name under /run/netns, or "" to call `body` right here. Rethrows what `body` throws.
void in_netns(const std::string& netns, const std::function<void()>& body);

}  // namespace turnout
