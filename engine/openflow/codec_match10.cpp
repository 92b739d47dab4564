// SPDX-License-Identifier: Apache-2.0
// OpenFlow 1.0's match (1.0.1, section 5.2.3): 40 bytes with a word of wildcards.
#include <bit>

#include "engine/openflow/codec_parts.hpp"

namespace turnout::of {
namespace {

enum : uint32_t {
    kInPort = 1 << 0,
    kVlan = 1 << 1,
    kEthSrc = 1 << 2,
    kEthDst = 1 << 3,
    kEthType = 1 << 4,
    kProto = 1 << 5,
    kTpSrc = 1 << 6,
    kTpDst = 1 << 7,
    kIpSrcShift = 8,
    kIpDstShift = 14,
    kVlanPcp = 1 << 20,
    kTos = 1 << 21,
};
constexpr uint16_t kVlanNone = 0xffff;

uint32_t prefix(uint32_t wildcards, unsigned shift) {
    const uint32_t wild = wildcards >> shift & 63;
    return wild >= 32 ? 0 : 0xffffffffu << wild;
}

uint32_t wildcards_of(Be32 mask, unsigned shift) {
    const uint32_t ones = mask.host();
    return static_cast<uint32_t>(ones == 0 ? 32 : std::countr_zero(ones)) << shift;
}

Be32 be32_at(const uint8_t* at) { return load<Be32>(at); }

}  // namespace

// Fields whose prerequisite the match lacks are ignored, as Open vSwitch does.
void pull_match10(const uint8_t* at, Match& match) {
    const uint32_t wild = be32(at);
    auto& [value, mask] = match;
    const auto exact = [](auto& to, auto& to_mask, auto what) {
        to = what;
        std::memset(&to_mask, 0xff, sizeof to_mask);
    };

    if (!(wild & kInPort)) exact(value.arrival.in_port, mask.arrival.in_port, Be32::of(port_from10(be16(at + 4))));
    if (!(wild & kEthSrc)) exact(value.eth.src, mask.eth.src, load<MacAddr>(at + 6));
    if (!(wild & kEthDst)) exact(value.eth.dst, mask.eth.dst, load<MacAddr>(at + 12));

    const uint16_t vid = be16(at + 18), pcp = static_cast<uint16_t>(at[20] << 13);
    if (!(wild & kVlan) && vid == kVlanNone) {
        exact(value.eth.vlan[0].tci, mask.eth.vlan[0].tci, Be16{});  // whatever the priority
    } else {
        const auto bits = static_cast<uint16_t>((wild & kVlan ? 0 : 0x1fff) | (wild & kVlanPcp ? 0 : 0xf000));
        mask.eth.vlan[0].tci = Be16::of(bits);
        value.eth.vlan[0].tci = Be16::of(static_cast<uint16_t>(((vid & 0xfff) | pcp | 0x1000) & bits));
    }

    if (wild & kEthType) return;
    exact(value.eth.type, mask.eth.type, load<Be16>(at + 22));
    const uint16_t type = value.eth.type.host();
    const bool ip = type == 0x0800, arp = type == 0x0806 || type == 0x8035, ip_any = ip || type == 0x86dd;
    if (ip || arp) {
        mask.net.ipv4_src = Be32::of(prefix(wild, kIpSrcShift));
        mask.net.ipv4_dst = Be32::of(prefix(wild, kIpDstShift));
        value.net.ipv4_src.raw = be32_at(at + 28).raw & mask.net.ipv4_src.raw;
        value.net.ipv4_dst.raw = be32_at(at + 32).raw & mask.net.ipv4_dst.raw;
    }
    if (ip_any && !(wild & kTos)) {
        value.net.tos = at[24] & 0xfc;
        mask.net.tos = 0xfc;
    }
    if (!(ip_any || arp) || (wild & kProto)) return;
    exact(value.net.proto, mask.net.proto, at[25]);
    if (arp) mask.net.ttl = 0xff;  // the upper byte of arp_op
    const bool ports = ip_any && (at[25] == 6 || at[25] == 17 || at[25] == 132);
    const bool icmp = (ip && at[25] == 1) || (type == 0x86dd && at[25] == 58);
    const auto bits = icmp ? Be16::of(0xff) : Be16::of(0xffff);
    if ((ports || icmp) && !(wild & kTpSrc)) {
        value.tp.src.raw = load<Be16>(at + 36).raw & bits.raw;
        mask.tp.src = bits;
    }
    if ((ports || icmp) && !(wild & kTpDst)) {
        value.tp.dst.raw = load<Be16>(at + 38).raw & bits.raw;
        mask.tp.dst = bits;
    }
}

// What the 40 bytes cannot say is left out, as Open vSwitch does.
void put_match10(Wire& out, const Match& match) {
    const auto& [value, mask] = match;
    const uint16_t tci = value.eth.vlan[0].tci.host(), tci_mask = mask.eth.vlan[0].tci.host();
    const bool no_vlan = tci_mask & 0x1000 && !(tci & 0x1000);
    const bool has_vid = no_vlan || (tci_mask & 0x0fff), has_pcp = no_vlan || (tci_mask & 0xe000);
    const auto wild = [](bool matched, uint32_t bit) { return matched ? 0 : bit; };
    const auto any = [](const MacAddr& mac) { return !(mac == MacAddr{}); };

    put32(out, wild(mask.arrival.in_port.raw, kInPort) | wild(has_vid, kVlan) | wild(any(mask.eth.src), kEthSrc) |
                   wild(any(mask.eth.dst), kEthDst) | wild(mask.eth.type.raw, kEthType) | wild(mask.net.proto, kProto) |
                   wild(mask.tp.src.raw, kTpSrc) | wild(mask.tp.dst.raw, kTpDst) |
                   wildcards_of(mask.net.ipv4_src, kIpSrcShift) | wildcards_of(mask.net.ipv4_dst, kIpDstShift) |
                   wild(has_pcp, kVlanPcp) | wild(mask.net.tos & 0xfc, kTos));
    put16(out, port_to10(value.arrival.in_port.host()));
    put(out, value.eth.src.octets, 6);
    put(out, value.eth.dst.octets, 6);
    put16(out, no_vlan ? kVlanNone : tci & 0xfff);
    put8(out, has_pcp && !no_vlan ? static_cast<uint8_t>(tci >> 13) : 0);
    zeros(out, 1);
    put16(out, value.eth.type.host());
    put8(out, value.net.tos & 0xfc);
    put8(out, value.net.proto);
    zeros(out, 2);
    put32(out, value.net.ipv4_src.host());
    put32(out, value.net.ipv4_dst.host());
    put16(out, value.tp.src.host());
    put16(out, value.tp.dst.host());
}

}  // namespace turnout::of
