// SPDX-License-Identifier: Apache-2.0
#include "engine/flow/fields.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstring>

namespace turnout {
namespace {

// clang-format off
#define PART(name, member, shift, bits, style, prereq) \
    Field{name, offsetof(FlowKey, member), sizeof(FlowKey::member), shift, bits, Style::style, Prereq::prereq}
#define WHOLE(name, member, style, prereq) \
    PART(name, member, 0, sizeof(FlowKey::member) * 8, style, prereq)

constexpr Field kFields[] = {
    WHOLE("in_port", arrival.in_port, Decimal, Pushed),
    WHOLE("in_phy_port", arrival.in_phy_port, Decimal, Pushed),
    WHOLE("metadata", arrival.metadata, Hex, Pushed),

    WHOLE("eth_dst", eth.dst, Mac, None),
    WHOLE("eth_src", eth.src, Mac, None),
    WHOLE("eth_type", eth.type, Hex, None),
    WHOLE("vlan_tpid", eth.vlan[0].tpid, Hex, Vlan),
    WHOLE("vlan_tci", eth.vlan[0].tci, Hex, Vlan),
    PART("dl_vlan", eth.vlan[0].tci, 0, 12, Decimal, Vlan),
    PART("dl_vlan_pcp", eth.vlan[0].tci, 13, 3, Decimal, Vlan),
    WHOLE("vlan_tpid1", eth.vlan[1].tpid, Hex, Vlan2),
    WHOLE("vlan_tci1", eth.vlan[1].tci, Hex, Vlan2),
    PART("dl_vlan1", eth.vlan[1].tci, 0, 12, Decimal, Vlan2),
    PART("dl_vlan_pcp1", eth.vlan[1].tci, 13, 3, Decimal, Vlan2),

    PART("mpls_label", net.mpls_lse[0], 12, 20, Decimal, Mpls),
    PART("mpls_tc", net.mpls_lse[0], 9, 3, Decimal, Mpls),
    PART("mpls_bos", net.mpls_lse[0], 8, 1, Decimal, Mpls),
    PART("mpls_ttl", net.mpls_lse[0], 0, 8, Decimal, Mpls),
    WHOLE("mpls_lse1", net.mpls_lse[1], Hex, Mpls2),
    WHOLE("mpls_lse2", net.mpls_lse[2], Hex, Mpls3),
    PART("pbb_isid", net.pbb_isid, 0, 24, Decimal, Pbb),
    WHOLE("arp_op", net.proto, Decimal, Arp),
    WHOLE("arp_spa", net.ipv4_src, Ipv4, Arp),
    WHOLE("arp_tpa", net.ipv4_dst, Ipv4, Arp),
    WHOLE("arp_sha", net.arp_sha, Mac, Arp),
    WHOLE("arp_tha", net.arp_tha, Mac, Arp),
    WHOLE("ip_src", net.ipv4_src, Ipv4, Ipv4),
    WHOLE("ip_dst", net.ipv4_dst, Ipv4, Ipv4),
    WHOLE("ipv6_src", net.ipv6_src, Ipv6, Ipv6),
    WHOLE("ipv6_dst", net.ipv6_dst, Ipv6, Ipv6),
    PART("ipv6_label", net.ipv6_label, 0, 20, Hex, Ipv6),
    PART("ipv6_exthdr", net.ipv6_exthdr, 0, 9, Hex, Ipv6),
    WHOLE("nw_proto", net.proto, Decimal, Ip),
    PART("ip_dscp", net.tos, 2, 6, Decimal, Ip),
    PART("ip_ecn", net.tos, 0, 2, Decimal, Ip),
    WHOLE("nw_ttl", net.ttl, Decimal, Ip),
    PART("nw_frag", net.frag, 0, 2, Decimal, Ip),

    WHOLE("tcp_src", tp.src, Decimal, Tcp),
    WHOLE("tcp_dst", tp.dst, Decimal, Tcp),
    PART("tcp_flags", tp.tcp_flags, 0, 12, Hex, Tcp),
    WHOLE("udp_src", tp.src, Decimal, Udp),
    WHOLE("udp_dst", tp.dst, Decimal, Udp),
    WHOLE("sctp_src", tp.src, Decimal, Sctp),
    WHOLE("sctp_dst", tp.dst, Decimal, Sctp),
    PART("icmp_type", tp.src, 0, 8, Decimal, Icmp),
    PART("icmp_code", tp.dst, 0, 8, Decimal, Icmp),
    PART("icmpv6_type", tp.src, 0, 8, Decimal, Icmpv6),
    PART("icmpv6_code", tp.dst, 0, 8, Decimal, Icmpv6),
    WHOLE("nd_target", tp.nd_target, Ipv6, Nd),
    WHOLE("nd_sll", tp.nd_sll, Mac, NdSolicit),
    WHOLE("nd_tll", tp.nd_tll, Mac, NdAdvert),

    WHOLE("tun_id", tunnel.id, Hex, Pushed),
    WHOLE("tun_src", tunnel.ipv4_src, Ipv4, Pushed),
    WHOLE("tun_dst", tunnel.ipv4_dst, Ipv4, Pushed),
    WHOLE("tun_ipv6_src", tunnel.ipv6_src, Ipv6, Pushed),
    WHOLE("tun_ipv6_dst", tunnel.ipv6_dst, Ipv6, Pushed),
    WHOLE("tun_flags", tunnel.flags, Hex, Pushed),
    WHOLE("reg0", reg[0], Hex, Pushed), WHOLE("reg1", reg[1], Hex, Pushed),
    WHOLE("reg2", reg[2], Hex, Pushed), WHOLE("reg3", reg[3], Hex, Pushed),
    WHOLE("reg4", reg[4], Hex, Pushed), WHOLE("reg5", reg[5], Hex, Pushed),
    WHOLE("reg6", reg[6], Hex, Pushed), WHOLE("reg7", reg[7], Hex, Pushed),
    WHOLE("reg8", reg[8], Hex, Pushed), WHOLE("reg9", reg[9], Hex, Pushed),
    WHOLE("reg10", reg[10], Hex, Pushed), WHOLE("reg11", reg[11], Hex, Pushed),
    WHOLE("reg12", reg[12], Hex, Pushed), WHOLE("reg13", reg[13], Hex, Pushed),
    WHOLE("reg14", reg[14], Hex, Pushed), WHOLE("reg15", reg[15], Hex, Pushed),
};

#undef PART
#undef WHOLE
// clang-format on

bool is_address(const Field& field) {
    return field.style == Style::Mac || field.style == Style::Ipv6 || field.style == Style::Ipv4;
}

// The field's bytes as the number that they are on the wire. At most 8 of them.
uint64_t wire_number(const Field& field, const uint8_t* at) {
    uint64_t number = 0;
    for (int i = 0; i < field.bytes; i++) number = number << 8 | at[i];
    return number;
}

std::string address_text(const Field& field, const uint8_t* at) {
    char text[INET6_ADDRSTRLEN];
    if (field.style == Style::Mac)
        std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", at[0], at[1], at[2], at[3], at[4], at[5]);
    else
        inet_ntop(field.style == Style::Ipv4 ? AF_INET : AF_INET6, at, text, sizeof text);
    return text;
}

const uint8_t* bytes_of(const Field& field, const FlowKey& key) {
    return reinterpret_cast<const uint8_t*>(&key) + field.offset;
}

bool is_zero(const Field& field, const FlowKey& key) {
    return std::all_of(bytes_of(field, key), bytes_of(field, key) + field.bytes, [](uint8_t b) { return b == 0; });
}

}  // namespace

std::span<const Field> fields() { return kFields; }

const Field* find_field(std::string_view name) {
    const auto* found = std::ranges::find(kFields, name, &Field::name);
    return found == std::end(kFields) ? nullptr : found;
}

bool applies(const Field& field, const FlowKey& key) {
    const uint16_t type = key.eth.type.host();
    const bool ipv4 = type == 0x0800, ipv6 = type == 0x86dd, mpls = type == 0x8847 || type == 0x8848;
    const auto more_labels = [&](int i) { return mpls && !(key.net.mpls_lse[i].host() & 0x100); };
    const auto over = [&](bool ip, uint8_t proto) {
        return ip && key.net.proto == proto && !(key.net.frag & kFragLater);
    };
    const auto neighbour = [&](uint16_t message) {
        return over(ipv6, 58) && key.tp.src.host() == message && key.tp.dst.host() == 0;
    };

    switch (field.prereq) {
        case Prereq::None:
        case Prereq::Pushed:
            return true;
        case Prereq::Vlan:
            return key.eth.vlan[0].tci != Be16{};
        case Prereq::Vlan2:
            return key.eth.vlan[1].tci != Be16{};
        case Prereq::Mpls:
            return mpls;
        case Prereq::Mpls2:
            return more_labels(0);
        case Prereq::Mpls3:
            return more_labels(0) && more_labels(1);
        case Prereq::Pbb:
            return type == 0x88e7;
        case Prereq::Arp:
            return type == 0x0806 || type == 0x8035;
        case Prereq::Ipv4:
            return ipv4;
        case Prereq::Ipv6:
            return ipv6;
        case Prereq::Ip:
            return ipv4 || ipv6;
        case Prereq::Tcp:
            return over(ipv4 || ipv6, 6);
        case Prereq::Udp:
            return over(ipv4 || ipv6, 17);
        case Prereq::Sctp:
            return over(ipv4 || ipv6, 132);
        case Prereq::Icmp:
            return over(ipv4, 1);
        case Prereq::Icmpv6:
            return over(ipv6, 58);
        case Prereq::Nd:
            return neighbour(135) || neighbour(136);
        case Prereq::NdSolicit:
            return neighbour(135);
        case Prereq::NdAdvert:
            return neighbour(136);
    }
    return false;
}

FieldValue value(const Field& field, const FlowKey& key) {
    const uint8_t* at = bytes_of(field, key);
    if (is_address(field)) return address_text(field, at);
    return wire_number(field, at) >> field.shift & (~uint64_t{0} >> (64 - field.bits));
}

FlowKey mask_of(const Field& field) {
    FlowKey mask{};
    uint8_t* at = reinterpret_cast<uint8_t*>(&mask) + field.offset;
    for (int bit = field.shift; bit < field.shift + field.bits; bit++)
        at[field.bytes - 1 - bit / 8] |= static_cast<uint8_t>(1 << bit % 8);
    return mask;
}

std::vector<std::pair<std::string_view, FieldValue>> describe(const FlowKey& key) {
    std::vector<std::pair<std::string_view, FieldValue>> described;
    for (const Field& field : kFields)
        if (applies(field, key) && !(field.prereq == Prereq::Pushed && is_zero(field, key)))
            described.emplace_back(field.name, value(field, key));
    return described;
}

}  // namespace turnout
