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
// Whose numbers they are: OpenFlow's OXM, the first NXM (NXM_OF_*), Nicira's own (NXM_NX_*), the packet registers.
constexpr uint32_t OXM(uint32_t field, uint32_t bytes) { return oxm_header(0x8000, field, bytes); }
constexpr uint32_t NXM(uint32_t field, uint32_t bytes) { return oxm_header(0x0000, field, bytes); }
constexpr uint32_t NX(uint32_t field, uint32_t bytes) { return oxm_header(0x0001, field, bytes); }
constexpr uint32_t XREG(uint32_t field) { return oxm_header(0x8001, field, 8); }
constexpr uint32_t NONE = 0;

enum : unsigned { RO = 0, M = 1, W = 2, MW = M | W, VIEW = 4, ONF = 8 };

#define PART(name, member, shift, bits, style, prereq, oxm, nxm, flags)                                              \
    Field{name, offsetof(FlowKey, member), sizeof(FlowKey::member), shift, bits, Style::style, Prereq::prereq,       \
          oxm, nxm, ((flags) & M) != 0, ((flags) & W) != 0, ((flags) & VIEW) != 0, ((flags) & ONF) != 0}
#define WHOLE(name, member, style, prereq, oxm, nxm, flags) \
    PART(name, member, 0, sizeof(FlowKey::member) * 8, style, prereq, oxm, nxm, flags)
#define REGISTER(number) WHOLE("reg" #number, reg[number], Hex, Pushed, NONE, NX(number, 4), MW)
// Registers two and four at a time, the first the most significant.
#define XREGISTER(number) \
    Field{"xreg" #number, offsetof(FlowKey, reg[2 * number]), 8, 0, 64, Style::Hex, Prereq::Pushed, XREG(number), \
          NONE, true, true, true, false}
#define XXREGISTER(number) \
    Field{"xxreg" #number, offsetof(FlowKey, reg[4 * number]), 16, 0, 128, Style::Hex, Prereq::Pushed, NONE, \
          NX(111 + number, 16), true, true, true, false}

constexpr Field kFields[] = {
    WHOLE("in_port", arrival.in_port, Decimal, Pushed, OXM(0, 4), NONE, W),
    PART("in_port_nxm", arrival.in_port, 0, 16, Decimal, Pushed, NONE, NXM(0, 2), W | VIEW),  // OpenFlow 1.0's number
    WHOLE("in_phy_port", arrival.in_phy_port, Decimal, Pushed, OXM(1, 4), NONE, RO),
    WHOLE("metadata", arrival.metadata, Hex, Pushed, OXM(2, 8), NONE, MW),

    WHOLE("eth_dst", eth.dst, Mac, None, OXM(3, 6), NXM(1, 6), MW),
    WHOLE("eth_src", eth.src, Mac, None, OXM(4, 6), NXM(2, 6), MW),
    WHOLE("eth_type", eth.type, Hex, None, OXM(5, 2), NXM(3, 2), RO),
    WHOLE("vlan_tpid", eth.vlan[0].tpid, Hex, Vlan, NONE, NONE, RO),
    WHOLE("vlan_tci", eth.vlan[0].tci, Hex, Vlan, NONE, NXM(4, 2), MW),
    PART("vlan_vid", eth.vlan[0].tci, 0, 13, Decimal, Vlan, OXM(6, 2), NONE, MW | VIEW),  // with kVlanPresent
    PART("vlan_pcp", eth.vlan[0].tci, 13, 3, Decimal, Vlan, OXM(7, 1), NONE, W | VIEW),
    PART("dl_vlan", eth.vlan[0].tci, 0, 12, Decimal, Vlan, NONE, NONE, W),
    PART("dl_vlan_pcp", eth.vlan[0].tci, 13, 3, Decimal, Vlan, NONE, NONE, W),
    WHOLE("vlan_tpid1", eth.vlan[1].tpid, Hex, Vlan2, NONE, NONE, RO),
    WHOLE("vlan_tci1", eth.vlan[1].tci, Hex, Vlan2, NONE, NONE, RO),
    PART("dl_vlan1", eth.vlan[1].tci, 0, 12, Decimal, Vlan2, NONE, NONE, RO),
    PART("dl_vlan_pcp1", eth.vlan[1].tci, 13, 3, Decimal, Vlan2, NONE, NONE, RO),

    PART("mpls_label", net.mpls_lse[0], 12, 20, Decimal, Mpls, OXM(34, 4), NONE, W),
    PART("mpls_tc", net.mpls_lse[0], 9, 3, Decimal, Mpls, OXM(35, 1), NONE, W),
    PART("mpls_bos", net.mpls_lse[0], 8, 1, Decimal, Mpls, OXM(36, 1), NONE, RO),
    PART("mpls_ttl", net.mpls_lse[0], 0, 8, Decimal, Mpls, NONE, NX(30, 1), W),
    WHOLE("mpls_lse1", net.mpls_lse[1], Hex, Mpls2, NONE, NONE, RO),
    WHOLE("mpls_lse2", net.mpls_lse[2], Hex, Mpls3, NONE, NONE, RO),
    PART("pbb_isid", net.pbb_isid, 0, 24, Decimal, Pbb, OXM(37, 3), NONE, MW),
    // 16 bits on the wire: nw_ttl's byte, which is zero for ARP, lies in front of nw_proto's.
    Field{"arp_op", offsetof(FlowKey, net.ttl), 2, 0, 16, Style::Decimal, Prereq::Arp, OXM(21, 2), NXM(15, 2), false,
          true, false, false},
    WHOLE("arp_spa", net.ipv4_src, Ipv4, Arp, OXM(22, 4), NXM(16, 4), MW),
    WHOLE("arp_tpa", net.ipv4_dst, Ipv4, Arp, OXM(23, 4), NXM(17, 4), MW),
    WHOLE("arp_sha", net.arp_sha, Mac, Arp, OXM(24, 6), NX(17, 6), MW),
    WHOLE("arp_tha", net.arp_tha, Mac, Arp, OXM(25, 6), NX(18, 6), MW),
    WHOLE("ip_src", net.ipv4_src, Ipv4, Ipv4, OXM(11, 4), NXM(7, 4), MW),
    WHOLE("ip_dst", net.ipv4_dst, Ipv4, Ipv4, OXM(12, 4), NXM(8, 4), MW),
    WHOLE("ipv6_src", net.ipv6_src, Ipv6, Ipv6, OXM(26, 16), NX(19, 16), MW),
    WHOLE("ipv6_dst", net.ipv6_dst, Ipv6, Ipv6, OXM(27, 16), NX(20, 16), MW),
    PART("ipv6_label", net.ipv6_label, 0, 20, Hex, Ipv6, OXM(28, 4), NX(27, 4), MW),
    PART("ipv6_exthdr", net.ipv6_exthdr, 0, 9, Hex, Ipv6, OXM(39, 2), NONE, M),
    WHOLE("nw_proto", net.proto, Decimal, Ip, OXM(10, 1), NXM(6, 1), RO),
    WHOLE("nw_tos", net.tos, Decimal, Ip, NONE, NXM(5, 1), W | VIEW),  // DSCP in place, without the ECN
    PART("ip_dscp", net.tos, 2, 6, Decimal, Ip, OXM(8, 1), NONE, W),
    PART("ip_ecn", net.tos, 0, 2, Decimal, Ip, OXM(9, 1), NX(28, 1), W),
    WHOLE("nw_ttl", net.ttl, Decimal, Ip, NONE, NX(29, 1), W),
    PART("nw_frag", net.frag, 0, 2, Decimal, Ip, NONE, NX(26, 1), M),

    WHOLE("tcp_src", tp.src, Decimal, Tcp, OXM(13, 2), NXM(9, 2), MW),
    WHOLE("tcp_dst", tp.dst, Decimal, Tcp, OXM(14, 2), NXM(10, 2), MW),
    PART("tcp_flags", tp.tcp_flags, 0, 12, Hex, Tcp, OXM(42, 2), NX(34, 2), M | ONF),
    WHOLE("udp_src", tp.src, Decimal, Udp, OXM(15, 2), NXM(11, 2), MW),
    WHOLE("udp_dst", tp.dst, Decimal, Udp, OXM(16, 2), NXM(12, 2), MW),
    WHOLE("sctp_src", tp.src, Decimal, Sctp, OXM(17, 2), NONE, MW),
    WHOLE("sctp_dst", tp.dst, Decimal, Sctp, OXM(18, 2), NONE, MW),
    PART("icmp_type", tp.src, 0, 8, Decimal, Icmp, OXM(19, 1), NXM(13, 1), W),
    PART("icmp_code", tp.dst, 0, 8, Decimal, Icmp, OXM(20, 1), NXM(14, 1), W),
    PART("icmpv6_type", tp.src, 0, 8, Decimal, Icmpv6, OXM(29, 1), NX(21, 1), W),
    PART("icmpv6_code", tp.dst, 0, 8, Decimal, Icmpv6, OXM(30, 1), NX(22, 1), W),
    WHOLE("nd_target", tp.nd_target, Ipv6, Nd, OXM(31, 16), NX(23, 16), MW),
    WHOLE("nd_sll", tp.nd_sll, Mac, NdSolicit, OXM(32, 6), NX(24, 6), MW),
    WHOLE("nd_tll", tp.nd_tll, Mac, NdAdvert, OXM(33, 6), NX(25, 6), MW),
    WHOLE("conj_id", tp.conj_id, Decimal, Pushed, NONE, NX(37, 4), RO),

    WHOLE("tun_id", tunnel.id, Hex, Pushed, OXM(38, 8), NX(16, 8), MW),
    WHOLE("tun_src", tunnel.ipv4_src, Ipv4, Pushed, NONE, NX(31, 4), MW),
    WHOLE("tun_dst", tunnel.ipv4_dst, Ipv4, Pushed, NONE, NX(32, 4), MW),
    WHOLE("tun_ipv6_src", tunnel.ipv6_src, Ipv6, Pushed, NONE, NX(109, 16), MW),
    WHOLE("tun_ipv6_dst", tunnel.ipv6_dst, Ipv6, Pushed, NONE, NX(110, 16), MW),
    WHOLE("tun_flags", tunnel.flags, Hex, Pushed, NONE, NX(104, 2), MW),
    WHOLE("pkt_mark", tunnel.pkt_mark, Hex, Pushed, NONE, NX(33, 4), MW),
    REGISTER(0), REGISTER(1), REGISTER(2), REGISTER(3), REGISTER(4), REGISTER(5), REGISTER(6), REGISTER(7),
    REGISTER(8), REGISTER(9), REGISTER(10), REGISTER(11), REGISTER(12), REGISTER(13), REGISTER(14), REGISTER(15),
    XREGISTER(0), XREGISTER(1), XREGISTER(2), XREGISTER(3),
    XREGISTER(4), XREGISTER(5), XREGISTER(6), XREGISTER(7),
    XXREGISTER(0), XXREGISTER(1), XXREGISTER(2), XXREGISTER(3),
};

#undef PART
#undef WHOLE
#undef REGISTER
#undef XREGISTER
#undef XXREGISTER
// clang-format on

bool is_text(const Field& field) {
    return field.style == Style::Mac || field.style == Style::Ipv6 || field.style == Style::Ipv4 || field.bits > 64;
}

// The field's bytes as the number that they are on the wire. At most 8 of them.
uint64_t wire_number(const Field& field, const uint8_t* at) {
    uint64_t number = 0;
    for (int i = 0; i < field.bytes; i++) number = number << 8 | at[i];
    return number;
}

std::string text_of(const Field& field, const uint8_t* at) {
    char text[INET6_ADDRSTRLEN];
    if (field.style == Style::Hex) {
        std::string hex = "0x";
        for (int i = 0; i < field.bytes; i++) std::snprintf(text, sizeof text, "%02x", at[i]), hex += text;
        return hex;
    }
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

const Field* find_field(uint32_t header) {
    constexpr uint32_t kNumber = 0xfffffe00;  // class and field
    const auto* found = std::ranges::find_if(kFields, [&](const Field& field) {
        return (field.oxm && (field.oxm & kNumber) == (header & kNumber)) ||
               (field.nxm && (field.nxm & kNumber) == (header & kNumber));
    });
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
    if (is_text(field)) return text_of(field, at);
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
        if (!field.view && applies(field, key) && !(field.prereq == Prereq::Pushed && is_zero(field, key)))
            described.emplace_back(field.name, value(field, key));
    return described;
}

}  // namespace turnout
