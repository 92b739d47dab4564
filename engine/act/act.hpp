// SPDX-License-Identifier: Apache-2.0
// act: verdicts become packets on their way out.
//
// In:  a packet, its outer VLAN tag, its verdict. Out: the packet, retagged as each output port wants it, in Tx; for a
// flood, copies for all ports but one. Runs on a worker.
#pragma once

#include "engine/classify/verdict.hpp"
#include "engine/tx/tx.hpp"

namespace turnout {

struct Tagged {
    bool present;  // the packet has an outer VLAN tag
    uint16_t vid;  // its VLAN; 0 if there is none
};

// Takes the packet.
void act(const Plan& plan, PortNo in_port, rte_mbuf* packet, Tagged outer, Verdict verdict, Tx& tx);

}  // namespace turnout
