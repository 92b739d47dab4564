// SPDX-License-Identifier: Apache-2.0
// The key's fields written to the packet's bytes. Only headers that parse() would accept are written to; checksums
// follow what changes under them, so that one that was wrong before stays wrong.
#include <rte_hash_crc.h>

#include <algorithm>
#include <cstring>

#include "engine/act/checksum.hpp"
#include "engine/act/packet.hpp"
#include "engine/parse/ethernet.hpp"

namespace turnout {
namespace {

enum : uint8_t { kIcmp = 1, kTcp = 6, kUdp = 17, kIcmpv6 = 58, kSctp = 132 };

constexpr uint64_t kL4Requests = RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG;

template <typename T>
void put(uint8_t* at, const T& value, SumChange& sum) {
    sum.replace(at, &value, sizeof value);
    std::memcpy(at, &value, sizeof value);
}

void put_vlan(const Packet& packet) {
    uint8_t* at = packet.bytes() + 12;
    for (const VlanTag& tag : packet.key.eth.vlan) {
        if (tag.tci == Be16{} || !is_vlan_tpid(load<Be16>(at))) return;
        const uint16_t dei = load<Be16>(at + 2).raw & kVlanPresent.raw;
        const auto tci = static_cast<uint16_t>((tag.tci.raw & ~kVlanPresent.raw) | dei);
        std::memcpy(at + 2, &tci, 2);
        at += 4;
    }
}

void put_labels(const Packet& packet) {
    const Network& net = packet.key.net;
    if (packet.key.eth.type == Be16::of(0x88e7)) {
        uint8_t* at = packet.bytes() + packet.layers.l3;
        if (packet.layers.l3 + 4u <= packet.mbuf->data_len)
            std::memcpy(at + 1, reinterpret_cast<const uint8_t*>(&net.pbb_isid) + 1, 3);
        return;
    }
    if (packet.layers.l2_5 == Layers::kNone) return;
    for (unsigned i = 0; i < 3 && packet.layers.l2_5 + 4 * (i + 1) <= packet.mbuf->data_len; i++) {
        uint8_t* at = packet.bytes() + packet.layers.l2_5 + 4 * i;
        const bool bottom = at[2] & 1;
        std::memcpy(at, &net.mpls_lse[i], 4);
        if (bottom) return;
    }
}

void put_arp(const Packet& packet) {
    static constexpr uint8_t kEthernetIpv4[] = {0, 1, 8, 0, 6, 4};
    const Network& net = packet.key.net;
    uint8_t* arp = packet.bytes() + packet.layers.l3;
    if (packet.layers.l3 + 28u > packet.mbuf->data_len || std::memcmp(arp, kEthernetIpv4, sizeof kEthernetIpv4) != 0)
        return;
    if (arp[6] == 0 || net.proto != 0) {  // the key has no opcodes above 255
        arp[6] = 0;
        arp[7] = net.proto;
    }
    std::memcpy(arp + 8, &net.arp_sha, 6);
    std::memcpy(arp + 14, &net.ipv4_src, 4);
    std::memcpy(arp + 18, &net.arp_tha, 6);
    std::memcpy(arp + 24, &net.ipv4_dst, 4);
}

// The end of what the IP header says is there, in the first segment.
uint32_t ip_end(const Packet& packet) {
    const uint8_t* ip = packet.bytes() + packet.layers.l3;
    const bool v6 = packet.key.eth.type == Be16::of(0x86dd);
    const uint32_t size = v6 ? 40u + load<Be16>(ip + 4).host() : load<Be16>(ip + 2).host();
    return std::min<uint32_t>(packet.layers.l3 + size, packet.mbuf->data_len);
}

// Whether the packet's L4 header is one that parse() took.
bool l4_is_whole(const Packet& packet) {
    if (packet.layers.l4 == Layers::kNone || packet.key.net.frag & kFragLater) return false;
    const uint32_t end = ip_end(packet), l4 = packet.layers.l4;
    const uint8_t* header = packet.bytes() + l4;
    switch (packet.key.net.proto) {
        case kTcp: {
            if (l4 + 20 > end) return false;
            const uint32_t length = (header[12] >> 4) * 4u;
            return length >= 20 && l4 + length <= end;
        }
        case kSctp:
            return l4 + 12 <= end;
        case kUdp:
        case kIcmp:
        case kIcmpv6:
            return l4 + 8 <= end;
    }
    return false;
}

// The checksum field of TCP, UDP or ICMPv6, or null if there is none to keep.
uint8_t* l4_checksum(const Packet& packet) {
    uint8_t* header = packet.bytes() + packet.layers.l4;
    switch (packet.key.net.proto) {
        case kTcp:
            return header + 16;
        case kUdp: {
            const bool none = header[6] == 0 && header[7] == 0;
            return none && !(packet.mbuf->ol_flags & kL4Requests) ? nullptr : header + 6;
        }
        case kIcmpv6:
            return header + 2;
    }
    return nullptr;
}

void follow(const Packet& packet, const SumChange& change) {
    if (!change.any()) return;
    uint8_t* field = l4_checksum(packet);
    if (!field) return;
    change.apply_to(field);
    if (packet.key.net.proto == kUdp && field[0] == 0 && field[1] == 0) field[0] = field[1] = 0xff;
}

// Addresses changed, which L4's checksum covers by the pseudo-header.
void follow_addresses(const Packet& packet, const SumChange& change) {
    if (!change.any() || !l4_is_whole(packet)) return;
    if (!(packet.mbuf->ol_flags & kL4Requests)) return follow(packet, change);
    if (uint8_t* field = l4_checksum(packet)) change.apply_to_sum(field);
}

void put_ipv4(const Packet& packet) {
    const Network& net = packet.key.net;
    uint8_t* ip = packet.bytes() + packet.layers.l3;
    SumChange header, addresses;
    put(ip + 0, std::array<uint8_t, 2>{ip[0], net.tos}, header);
    put(ip + 8, std::array<uint8_t, 2>{net.ttl, ip[9]}, header);
    put(ip + 12, net.ipv4_src, addresses);
    put(ip + 16, net.ipv4_dst, addresses);
    header += addresses;
    if (header.any()) header.apply_to(ip + 10);
    follow_addresses(packet, addresses);
}

// Whether a routing header says that the destination is not yet the last one, which the checksum covers.
bool has_way_to_go(const Packet& packet) {
    if (!(packet.key.net.ipv6_exthdr.host() & kExtRouter)) return false;
    const uint8_t* at = packet.bytes() + packet.layers.l3 + 40;
    const uint8_t* end = packet.bytes() + std::min<uint32_t>(packet.layers.l4, packet.mbuf->data_len);
    for (uint8_t next = packet.bytes()[packet.layers.l3 + 6]; at + 8 <= end;) {
        if (next == 43) return at[3] > 0;
        const unsigned length = next == 51 ? (at[1] + 2u) * 4 : next == 44 ? 8 : (at[1] + 1u) * 8;
        next = at[0];
        at += length;
    }
    return false;
}

void put_ipv6(const Packet& packet) {
    const Network& net = packet.key.net;
    uint8_t* ip = packet.bytes() + packet.layers.l3;
    const uint32_t start = (load<Be32>(ip).host() & 0xf0000000) | uint32_t{net.tos} << 20 | net.ipv6_label.host();
    const Be32 first = Be32::of(start);
    std::memcpy(ip, &first, 4);
    ip[7] = net.ttl;
    SumChange addresses, unseen;
    put(ip + 8, net.ipv6_src, addresses);
    put(ip + 24, net.ipv6_dst, has_way_to_go(packet) ? unseen : addresses);
    follow_addresses(packet, addresses);
}

void put_network(const Packet& packet) {
    if (packet.layers.l3 == Layers::kNone) return;
    switch (packet.key.eth.type.host()) {
        case 0x0806:
        case 0x8035:
            return put_arp(packet);
        case 0x0800:
            if (packet.layers.l4 != Layers::kNone) put_ipv4(packet);
            return;
        case 0x86dd:
            if (packet.layers.l4 != Layers::kNone) put_ipv6(packet);
            return;
    }
}

// DPDK's, but that it may begin anywhere: rte_hash_crc() loads words from where they are not aligned.
uint32_t crc32c(const uint8_t* at, uint32_t length, uint32_t crc) {
    for (; length >= 8; at += 8, length -= 8) crc = rte_hash_crc_8byte(load<uint64_t>(at), crc);
    for (; length > 0; at++, length--) crc = rte_hash_crc_1byte(*at, crc);
    return crc;
}

// CRC32c over the SCTP packet, as it would lie in its field.
uint32_t sctp_crc(const Packet& packet) {
    const uint32_t l4 = packet.layers.l4;
    const uint8_t* ip = packet.bytes() + packet.layers.l3;
    const bool v6 = packet.key.eth.type == Be16::of(0x86dd);
    uint32_t skip = l4 + 12,
             left = packet.layers.l3 + (v6 ? 40u + load<Be16>(ip + 4).host() : load<Be16>(ip + 2).host());
    left = left > skip ? left - skip : 0;
    uint8_t header[12];
    std::memcpy(header, packet.bytes() + l4, 8);
    std::memset(header + 8, 0, 4);
    uint32_t crc = crc32c(header, sizeof header, UINT32_MAX);
    for (const rte_mbuf* segment = packet.mbuf; segment && left; segment = segment->next) {
        if (skip >= segment->data_len) {
            skip -= segment->data_len;
            continue;
        }
        const uint32_t length = std::min<uint32_t>(segment->data_len - skip, left);
        crc = crc32c(rte_pktmbuf_mtod_offset(segment, const uint8_t*, skip), length, crc);
        left -= length;
        skip = 0;
    }
    return ~crc;
}

void put_ports(const Packet& packet) {
    const Transport& tp = packet.key.tp;
    uint8_t* header = packet.bytes() + packet.layers.l4;
    SumChange change;
    if (packet.key.net.proto == kSctp) {
        uint32_t crc;
        std::memcpy(&crc, header + 8, 4);
        crc ^= sctp_crc(packet);
        put(header, tp.src, change);
        put(header + 2, tp.dst, change);
        crc ^= sctp_crc(packet);
        std::memcpy(header + 8, &crc, 4);
        return;
    }
    put(header, tp.src, change);
    put(header + 2, tp.dst, change);
    if (!(packet.mbuf->ol_flags & kL4Requests)) follow(packet, change);
}

void put_neighbour(const Packet& packet, SumChange& change) {
    const Transport& tp = packet.key.tp;
    const uint32_t end = ip_end(packet);
    uint32_t at = packet.layers.l4 + 8u;
    if (at + 16 > end) return;
    put(packet.bytes() + at, tp.nd_target, change);
    for (at += 16; at + 8 <= end;) {
        uint8_t* option = packet.bytes() + at;
        const uint32_t length = option[1] * 8u;
        if (length == 0 || at + length > end) return;
        if (length == 8 && option[0] == 1) put(option + 2, tp.nd_sll, change);
        if (length == 8 && option[0] == 2) put(option + 2, tp.nd_tll, change);
        at += length;
    }
}

void put_icmp(const Packet& packet) {
    const Transport& tp = packet.key.tp;
    uint8_t* icmp = packet.bytes() + packet.layers.l4;
    const auto type = static_cast<uint8_t>(tp.src.host()), code = static_cast<uint8_t>(tp.dst.host());
    const bool neighbour = packet.key.net.proto == kIcmpv6 && (icmp[0] == 135 || icmp[0] == 136) && icmp[1] == 0;
    SumChange change;
    put(icmp, std::array<uint8_t, 2>{type, code}, change);
    if (neighbour) put_neighbour(packet, change);
    if (packet.key.net.proto == kIcmpv6)
        follow(packet, change);
    else if (change.any())
        change.apply_to(icmp + 2);
}

void put_l4(const Packet& packet) {
    if (!l4_is_whole(packet)) return;
    const uint8_t proto = packet.key.net.proto;
    if (proto == kIcmp || proto == kIcmpv6)
        put_icmp(packet);
    else
        put_ports(packet);
}

}  // namespace

bool commit(Packet& packet) {
    if (!(packet.changed & ~kPartPipeline)) return true;
    if (!writable(packet)) return false;
    if (packet.changed & kPartEth) std::memcpy(packet.bytes(), &packet.key.eth, 12);
    if (packet.changed & kPartVlan) put_vlan(packet);
    if (packet.changed & kPartLabels) put_labels(packet);
    if (packet.changed & kPartNet) put_network(packet);
    if (packet.changed & kPartL4) put_l4(packet);
    packet.changed = 0;
    return true;
}

}  // namespace turnout
