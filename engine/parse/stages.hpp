// SPDX-License-Identifier: Apache-2.0
// What parse() calls beyond Ethernet, a file per layer. The groups are zero when these are called.
#pragma once

#include "engine/flow/key.hpp"
#include "engine/parse/cursor.hpp"
#include "engine/parse/parse.hpp"

namespace turnout {

// MPLS, PBB, ARP, IPv4, IPv6. In: what follows eth_type (`in`), and how much of the frame that is, head or not.
// Sets layers.l2_5 and l3 behind MPLS, and layers.l4; `in` is the IP payload without padding where l4 is set.
void parse_network(Cursor& in, uint32_t bytes_left, Be16 eth_type, Network& net, Layers& layers) noexcept;

// IPv6's extension headers. Sets proto, frag and ipv6_exthdr, or returns false and leaves them as they are.
bool parse_ipv6_extensions(Cursor& in, uint8_t first, Network& net) noexcept;

// TCP, UDP, SCTP, ICMP, ICMPv6 with ND. In: the IP payload that parse_network() found.
void parse_transport(Cursor in, uint8_t proto, Transport& tp) noexcept;

}  // namespace turnout
