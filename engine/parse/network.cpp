// SPDX-License-Identifier: Apache-2.0
#include "engine/parse/stages.hpp"

namespace turnout {
namespace {

// The bottom of the stack is searched for beyond the labels that the key holds: it is where L3 begins.
bool parse_mpls(Cursor& in, Network& net) {
    for (int i = 0; i < kMaxLabels; i++) {
        const uint8_t* entry = in.take(4);
        if (entry == nullptr) return false;
        const Be32 lse = load<Be32>(entry);
        if (i < 3) net.mpls_lse[i] = lse;
        if (lse.host() & 0x100) return true;
    }
    return false;
}

void parse_pbb(Cursor in, Network& net) {
    if (in.has(4)) net.pbb_isid = Be32::of(load<Be32>(in.at).host() & 0xffffff);
}

void parse_arp(Cursor in, Network& net) {
    constexpr uint64_t kEthernetIpv4 = 0x0001'0800'0604;  // hardware and protocol type, and the lengths of both

    const uint8_t* arp = in.take(28);
    if (arp == nullptr || load<Be64>(arp).host() >> 16 != kEthernetIpv4) return;
    const uint16_t op = load<Be16>(arp + 6).host();
    net.proto = op < 256 ? static_cast<uint8_t>(op) : 0;
    net.arp_sha = load<MacAddr>(arp + 8);
    net.ipv4_src = load<Be32>(arp + 14);
    net.arp_tha = load<MacAddr>(arp + 18);
    net.ipv4_dst = load<Be32>(arp + 24);
}

bool parse_ipv4(Cursor& in, uint32_t bytes_left, Network& net) {
    if (!in.has(20)) return false;
    const uint8_t* ip = in.at;
    const uint32_t header = (ip[0] & 0x0f) * 4u;
    const uint32_t total = load<Be16>(ip + 2).host();
    if (header < 20 || header > total || total > bytes_left || !in.has(header)) [[unlikely]]
        return false;

    const uint16_t fragment = load<Be16>(ip + 6).host();
    if (fragment & 0x3fff) [[unlikely]]  // more fragments, or an offset
        net.frag = fragment & 0x1fff ? kFragAny | kFragLater : kFragAny;
    net.tos = ip[1];
    net.ttl = ip[8];
    net.proto = ip[9];
    net.ipv4_src = load<Be32>(ip + 12);
    net.ipv4_dst = load<Be32>(ip + 16);

    in.limit(total);
    in.at += header;
    return true;
}

bool parse_ipv6(Cursor& in, uint32_t bytes_left, Network& net) {
    const uint8_t* ip = in.take(40);
    if (ip == nullptr) return false;
    const uint32_t payload = load<Be16>(ip + 4).host();
    if (payload > bytes_left - 40) [[unlikely]]
        return false;
    in.limit(payload);

    const uint32_t class_label = load<Be32>(ip).host();
    net.ipv6_src = load<Ipv6Addr>(ip + 8);
    net.ipv6_dst = load<Ipv6Addr>(ip + 24);
    if (!parse_ipv6_extensions(in, ip[6], net)) [[unlikely]]
        return false;
    net.ipv6_label = Be32::of(class_label & 0xfffff);
    net.tos = static_cast<uint8_t>(class_label >> 20);
    net.ttl = ip[7];
    return true;
}

}  // namespace

void parse_network(Cursor& in, uint32_t bytes_left, Be16 eth_type, Network& net, Layers& layers) noexcept {
    const uint8_t* l3 = in.at;
    const auto offset = [&] { return static_cast<uint16_t>(layers.l3 + (in.at - l3)); };

    switch (eth_type.host()) {
        case 0x0800:
            if (parse_ipv4(in, bytes_left, net)) layers.l4 = offset();
            break;
        case 0x86dd:
            if (parse_ipv6(in, bytes_left, net)) layers.l4 = offset();
            break;
        case 0x0806:
        case 0x8035:  // RARP
            parse_arp(in, net);
            break;
        case 0x8847:
        case 0x8848:
            layers.l2_5 = layers.l3;
            layers.l3 = parse_mpls(in, net) ? offset() : Layers::kNone;
            break;
        case 0x88e7:
            parse_pbb(in, net);
            break;
    }
}

}  // namespace turnout
