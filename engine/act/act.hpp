// SPDX-License-Identifier: Apache-2.0
// act: verdicts become packets on their way out.
//
// In:  a burst from one port; for each packet the row that it shares with packets of the same L2 header; for each row
// its
//      outer VLAN tag and verdict. Out: packets in Tx, retagged as each output port wants them; for a flood, copies.
// Runs on a worker. What a row's packets have in common is worked out once per row.
#pragma once

#include <span>

#include "engine/classify/verdict.hpp"
#include "engine/tx/tx.hpp"

namespace turnout {

struct Tagged {
    bool present;  // the packet has an outer VLAN tag
    uint16_t vid;  // its VLAN; 0 if there is none

    bool operator==(const Tagged&) const = default;
};

// Takes the packets.
void act(const Plan& plan, PortNo in_port, std::span<rte_mbuf*> packets, std::span<const uint8_t> row,
         std::span<const Tagged> outer, std::span<const Verdict> verdicts, Tx& tx);

// OpenFlow's NORMAL for one packet, an Ethernet header and a whole outer tag at least; takes it. `in_port`: kNoPort if
// it came in by none, as a controller's packet-out; nothing is learned then. `blamed`: where its drops are counted.
void act_normal(const Plan& plan, BridgeNo bridge, PortNo in_port, PortNo blamed, uint32_t second, rte_mbuf* packet,
                Tx& tx);

}  // namespace turnout
