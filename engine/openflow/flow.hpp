// SPDX-License-Identifier: Apache-2.0
// A flow as control keeps it, small because there are millions: its match lies in the classifier, its instructions in
// a Program that it shares, its counters in a tally.
#pragma once

#include <atomic>
#include <cstdint>

#include "engine/classify/classifier.hpp"

namespace turnout::of {

struct SharedProgram;

struct Flow {
    std::atomic<uint64_t> cookie{0};  // workers read it, for packet-ins
    // All below is control's.
    Rule* rule = nullptr;  // what the next version sees; null: removed, and freed once no worker can meet it
    SharedProgram* program = nullptr;
    Flow *previous = nullptr, *next = nullptr;  // of the same program
    uint64_t created = 0, modified = 0;         // [ns]
    uint32_t since = 0;                         // the second from which on it is idle if no packet comes
    uint32_t due = 0, due_at = 0;               // second at which to look at its timeouts, 0: none; place in that list
    uint16_t idle = 0, hard = 0;                // [s], 0: none
    uint16_t importance = 0, flags = 0;         // flags: FlowMod::k…
};

}  // namespace turnout::of
