// SPDX-License-Identifier: Apache-2.0
// MPLS, and PBB, which is pushed and popped in the same place.
#include <cstring>

#include "engine/act/checksum.hpp"
#include "engine/act/edit.hpp"

namespace turnout {
namespace {

constexpr Be16 kIpv4 = Be16::of(0x0800), kIpv6 = Be16::of(0x86dd), kPbb = Be16::of(0x88e7);
constexpr uint16_t kLabel = 4;      // bytes of a label stack entry
constexpr uint16_t kPbbBytes = 18;  // I-TAG and the customer's addresses, instead of nothing
constexpr uint32_t kBottom = 0x100;

bool has_labels(const Packet& packet) {
    return packet.layers.l2_5 != Layers::kNone && packet.layers.l2_5 + 4u <= packet.mbuf->data_len;
}

// What a first label starts from: Open vSwitch's explicit null, the TTL and the low bits of the DSCP.
uint32_t first_label(const FlowKey& key) {
    const bool ip = key.eth.type == kIpv4 || key.eth.type == kIpv6;
    const uint32_t label = key.eth.type == kIpv6 ? 2 : 0;
    const uint32_t tc = ip ? key.net.tos >> 2 & 7u : 0;
    const uint32_t ttl = ip && key.net.ttl ? key.net.ttl : 64u;
    return label << 12 | tc << 9 | kBottom | ttl;
}

// The TTL of what lies below the outermost label. The packet is writable().
struct Inner {
    uint8_t* ttl = nullptr;  // null: nothing that has one
    uint8_t* ipv4 = nullptr;
};

Inner below_label(const Packet& packet) {
    const uint8_t* entry = packet.bytes() + packet.layers.l2_5;
    uint8_t* next = packet.bytes() + packet.layers.l2_5 + kLabel;
    const uint32_t left = packet.mbuf->data_len - packet.layers.l2_5 - 4u;
    if (!(entry[2] & 1)) return left >= 4 ? Inner{next + 3, nullptr} : Inner{};
    if (left >= 20 && next[0] >> 4 == 4) return {next + 8, next};
    if (left >= 40 && next[0] >> 4 == 6) return {next + 7, nullptr};
    return {};
}

}  // namespace

bool push_mpls(Packet& packet, Be16 eth_type) {
    const uint16_t at = has_labels(packet) ? packet.layers.l2_5 : packet.layers.l3;
    if (at == Layers::kNone) return true;  // no Ethernet header
    const uint32_t entry = has_labels(packet) ? packet.key.net.mpls_lse[0].host() & ~kBottom : first_label(packet.key);
    if (!insert(packet, at, kLabel)) return false;
    const Be32 wire = Be32::of(entry);
    std::memcpy(packet.bytes() + at, &wire, 4);
    std::memcpy(packet.bytes() + at - 2, &eth_type, 2);
    packet.stale = true;
    return true;
}

bool pop_mpls(Packet& packet, Be16 eth_type) {
    if (!has_labels(packet)) return true;
    const uint16_t at = packet.layers.l2_5;
    if (!remove(packet, at, kLabel)) return false;
    std::memcpy(packet.bytes() + at - 2, &eth_type, 2);
    packet.stale = true;
    return true;
}

bool push_pbb(Packet& packet, Be16 tpid) {
    uint8_t addresses[12];
    std::memcpy(addresses, packet.bytes(), sizeof addresses);
    const Be16 outer_tci = packet.key.eth.vlan[0].tci;
    const uint32_t isid = packet.key.eth.type == kPbb ? packet.key.net.pbb_isid.host() : 0;
    const Be32 tag = Be32::of((outer_tci.host() & 0xe000u) << 16 | isid);  // priority as the VLAN's
    if (!insert(packet, 0, kPbbBytes)) return false;
    uint8_t* start = packet.bytes();
    std::memcpy(start, addresses, sizeof addresses);
    std::memcpy(start + 12, &tpid, 2);
    std::memcpy(start + 14, &tag, 4);
    packet.stale = true;
    return true;
}

bool pop_pbb(Packet& packet) {
    const uint32_t l3 = packet.layers.l3;
    if (packet.key.eth.type != kPbb || packet.layers.l3 == Layers::kNone) return true;
    if (l3 + 18 > packet.mbuf->data_len) return true;  // no room for the customer's header: not PBB
    uint8_t customer[12], tags[64];
    const uint32_t tag_bytes = l3 - 14;  // a B-TAG stays
    if (tag_bytes > sizeof tags) return true;
    std::memcpy(customer, packet.bytes() + l3 + 4, sizeof customer);
    std::memcpy(tags, packet.bytes() + 12, tag_bytes);
    if (!remove(packet, 0, kPbbBytes)) return false;
    std::memcpy(packet.bytes(), customer, sizeof customer);
    std::memcpy(packet.bytes() + 12, tags, tag_bytes);
    packet.stale = true;
    return true;
}

bool copy_ttl_out(Packet& packet) {
    if (!has_labels(packet)) return true;
    const Inner inner = below_label(packet);
    if (!inner.ttl) return true;
    uint8_t* entry = packet.bytes() + packet.layers.l2_5;
    entry[3] = *inner.ttl;
    std::memcpy(&packet.key.net.mpls_lse[0], entry, 4);
    return true;
}

bool copy_ttl_in(Packet& packet) {
    if (!has_labels(packet)) return true;
    const Inner inner = below_label(packet);
    if (!inner.ttl) return true;
    const uint8_t ttl = packet.bytes()[packet.layers.l2_5 + 3];
    if (inner.ipv4) {
        SumChange change;
        const uint8_t before[2] = {*inner.ttl, inner.ipv4[9]}, after[2] = {ttl, inner.ipv4[9]};
        change.replace(before, after, 2);
        if (change.any()) change.apply_to(inner.ipv4 + 10);
    }
    *inner.ttl = ttl;
    if (!(packet.key.net.mpls_lse[0].host() & kBottom))
        packet.key.net.mpls_lse[1].raw = load<uint32_t>(packet.bytes() + packet.layers.l2_5 + 4);
    return true;
}

}  // namespace turnout
