// SPDX-License-Identifier: Apache-2.0
// DPDK's environment: started once per process, for good. What DPDK logs is kept, so that an error can quote it.
#pragma once

#include <string>
#include <vector>

namespace turnout {

// Starts EAL with `args` (without the program's name). The calling thread keeps its CPU affinity. Throws Error.
void start_eal(const std::vector<std::string>& args);
bool eal_started();

// DPDK's log lines since the last call, oldest first, at most the last 256.
std::vector<std::string> take_dpdk_log();
// The last line DPDK logged by the calling thread since `forget_dpdk_lines`, or "".
std::string last_dpdk_line();
void forget_dpdk_lines();

}  // namespace turnout
