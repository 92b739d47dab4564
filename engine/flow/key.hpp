// SPDX-License-Identifier: Apache-2.0
//
// The flow key: all that a rule can ask about a packet, in a fixed place.
//
// A key is made of groups, one for each source of knowledge, and each group is a whole number of 64-bit words without
// hidden padding. A mask is a FlowKey as well, so that caches and classifiers handle both as arrays of uint64_t
// (word()) and never name a field. What a packet does not carry is zero, and so is every reserved byte.
//
// Every number is in network byte order, metadata and registers too. The value of an OpenFlow match (OXM) is then
// copied here byte by byte, a prefix mask is a prefix of bytes, and a field can be moved to another by memcpy.
//
// As in Open vSwitch, some fields share a place, told apart by the field that a rule must match first:
//   ipv4_src, ipv4_dst   IPv4 addresses, or ARP's spa and tpa
//   proto                IP protocol (IPv6: after the extension headers), or ARP's opcode if it is below 256
//   tp.src, tp.dst       TCP, UDP and SCTP ports, or ICMP's and ICMPv6's type and code
//
// fields.hpp names the fields; parse.hpp says which groups the parser fills.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "engine/flow/be.hpp"

namespace turnout {

struct MacAddr {
    uint8_t octets[6];
    friend constexpr bool operator==(const MacAddr&, const MacAddr&) = default;
};

struct Ipv6Addr {
    uint8_t octets[16];
    friend constexpr bool operator==(const Ipv6Addr&, const Ipv6Addr&) = default;
};

// eth_type of a frame that has a length there and no SNAP header, as Open vSwitch has it.
inline constexpr Be16 kEthTypeNone = Be16::of(0x05ff);
// Set in the TCI of each tag that is present, in place of the wire's CFI/DEI bit: "VLAN 0" differs from "no tag".
inline constexpr Be16 kVlanPresent = Be16::of(0x1000);

// Network::frag
inline constexpr uint8_t kFragAny = 1;    // any fragment
inline constexpr uint8_t kFragLater = 2;  // not the first one: there is no L4 header

// Network::ipv6_exthdr: OpenFlow 1.3's OFPIEH_*
enum : uint16_t {
    kExtNoNext = 1 << 0,
    kExtEsp = 1 << 1,
    kExtAuth = 1 << 2,
    kExtDest = 1 << 3,
    kExtFrag = 1 << 4,
    kExtRouter = 1 << 5,
    kExtHop = 1 << 6,
    kExtUnrep = 1 << 7,  // a header came twice (destination options: three times)
    kExtUnseq = 1 << 8,  // not in the order that RFC 8200, section 4.1, prefers
};

struct VlanTag {
    Be16 tpid;
    Be16 tci;  // with kVlanPresent; 0 = no tag
};

struct alignas(8) Ethernet {
    MacAddr dst;
    MacAddr src;
    Be16 type;  // behind the tags and the SNAP header
    uint16_t reserved;
    VlanTag vlan[2];  // outer, inner
};

struct alignas(8) Arrival {
    Be32 in_port;
    Be32 in_phy_port;
    Be64 metadata;
};

struct alignas(8) Network {
    Be32 mpls_lse[3];  // the outer label stack entries as on the wire: label 20, TC 3, bottom of stack 1, TTL 8 bits
    Be32 pbb_isid;     // 24 bits
    Be32 ipv4_src;
    Be32 ipv4_dst;
    Ipv6Addr ipv6_src;
    Ipv6Addr ipv6_dst;
    Be32 ipv6_label;  // 20 bits
    uint8_t frag;
    uint8_t tos;  // DSCP 6, ECN 2 bits
    uint8_t ttl;
    uint8_t proto;
    MacAddr arp_sha;
    MacAddr arp_tha;
    Be16 ipv6_exthdr;
    uint16_t reserved;
};

struct alignas(8) Transport {
    Be16 src;
    Be16 dst;
    Be16 tcp_flags;  // 12 bits
    uint16_t reserved0;
    Ipv6Addr nd_target;
    MacAddr nd_sll;
    MacAddr nd_tll;
    Be32 conj_id;  // of the conjunction that a lookup just completed; zero outside of that lookup
};

struct alignas(8) Tunnel {
    Be64 id;
    Be32 ipv4_src;
    Be32 ipv4_dst;
    Ipv6Addr ipv6_src;
    Ipv6Addr ipv6_dst;
    Be16 flags;
    uint16_t reserved;
    Be32 pkt_mark;  // Linux's skb mark, which Open vSwitch keeps beside the tunnel: here one more register
};

struct alignas(8) FlowKey {
    Ethernet eth;
    Arrival arrival;
    Network net;
    Transport tp;
    Tunnel tunnel;
    Be32 reg[16];
};

inline constexpr size_t kKeyWords = sizeof(FlowKey) / sizeof(uint64_t);

static_assert(sizeof(FlowKey) == 280 && sizeof(FlowKey) % sizeof(uint64_t) == 0);
static_assert(std::is_trivially_copyable_v<FlowKey> && std::is_standard_layout_v<FlowKey>);
static_assert(std::has_unique_object_representations_v<FlowKey>, "padding would make equal keys differ");

// Word `i` of a key or a mask, for those that handle it as an array.
inline uint64_t word(const FlowKey& key, size_t i) {
    return load<uint64_t>(reinterpret_cast<const uint8_t*>(&key) + i * sizeof(uint64_t));
}

}  // namespace turnout
