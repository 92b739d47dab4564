// SPDX-License-Identifier: Apache-2.0
// Actions that push, pop and copy headers. Each leaves key and bytes consistent, or the packet stale (need() again).
// When they are called, the key is good for Depth::L3, committed,
// and the packet writable(). false: see packet.hpp.
#pragma once

#include "engine/act/packet.hpp"

namespace turnout {

bool push_vlan(Packet& packet, Be16 tpid);  // VLAN ID and priority as in the tag that was the outer one, else 0
bool pop_vlan(Packet& packet);              // nothing if there is no tag

bool push_mpls(Packet& packet, Be16 eth_type);
bool pop_mpls(Packet& packet, Be16 eth_type);  // nothing if there is no label
bool push_pbb(Packet& packet, Be16 tpid);
bool pop_pbb(Packet& packet);

// Between the outermost label and what comes next: a label, or IPv4's or IPv6's TTL below the last label.
bool copy_ttl_out(Packet& packet);
bool copy_ttl_in(Packet& packet);

}  // namespace turnout
