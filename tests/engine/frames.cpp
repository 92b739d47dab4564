// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/frames.hpp"

#include <algorithm>

namespace turnout::test {
namespace {

void put(Bytes& to, uint64_t value, unsigned bytes) {
    for (unsigned i = bytes; i-- > 0;) to.push_back(static_cast<uint8_t>(value >> 8 * i));
}
template <size_t N>
void put(Bytes& to, const std::array<uint8_t, N>& value) {
    to.insert(to.end(), value.begin(), value.end());
}
void put(Bytes& to, const Bytes& value) { to.insert(to.end(), value.begin(), value.end()); }
void set16(Bytes& in, size_t at, uint32_t value) {
    in[at] = static_cast<uint8_t>(value >> 8);
    in[at + 1] = static_cast<uint8_t>(value);
}

uint32_t sum(const Bytes& of) {
    uint32_t total = 0;
    for (size_t i = 0; i < of.size(); i++) total += i % 2 ? of[i] : of[i] * 256u;
    while (total > 0xffff) total = (total >> 16) + (total & 0xffff);
    return total;
}

// CRC32c, bit by bit (RFC 9260, appendix A).
uint32_t crc32c(const Bytes& of) {
    uint32_t crc = 0xffffffff;
    for (const uint8_t byte : of) {
        crc ^= byte;
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
    }
    return ~crc;
}

Bytes neighbour(const Headers& h) {
    Bytes body;
    put(body, 0, 4);
    put(body, h.nd_target);
    if (h.nd_option) {
        put(body, h.nd_option, 1);
        put(body, 1, 1);
        put(body, h.nd_address, 6);
    }
    return body;
}

// L4 with its checksum; `addresses` start the pseudo-header.
Bytes transport(const Headers& h, const Bytes& addresses) {
    Bytes l4, payload;
    for (unsigned i = 0; i < h.payload; i++) payload.push_back(static_cast<uint8_t>(i * 11 + 3));
    size_t checksum = 0;
    bool pseudo = true;
    if (h.fragment & 0x1fff) {
        return payload;
    } else if (h.proto == 6) {
        put(l4, h.sport, 2), put(l4, h.dport, 2);
        put(l4, 0x01020304, 4), put(l4, 0x05060708, 4);
        put(l4, 0x5000u | h.tcp_flags, 2), put(l4, 512, 2), put(l4, 0, 4);
        checksum = 16;
    } else if (h.proto == 17) {
        put(l4, h.sport, 2), put(l4, h.dport, 2), put(l4, 8 + payload.size(), 2), put(l4, 0, 2);
        checksum = 6;
    } else if (h.proto == 132) {
        put(l4, h.sport, 2), put(l4, h.dport, 2), put(l4, 0xabcdef01, 4), put(l4, 0, 4);
        put(l4, payload);
        const uint32_t crc = crc32c(l4);
        for (unsigned i = 0; i < 4; i++) l4[8 + i] = static_cast<uint8_t>(crc >> 8 * i);
        return l4;
    } else if (h.proto == 1 || h.proto == 58) {
        put(l4, h.icmp_type, 1), put(l4, h.icmp_code, 1), put(l4, 0, 2);
        const bool nd = h.proto == 58 && (h.icmp_type == 135 || h.icmp_type == 136);
        if (nd) payload = neighbour(h);
        if (!nd) put(l4, 0x11112222, 4);
        checksum = 2;
        pseudo = h.proto == 58;
    } else {
        return payload;
    }
    put(l4, payload);
    Bytes covered;
    if (pseudo) {
        covered = addresses;
        put(covered, l4.size(), 4);
        put(covered, h.proto, 4);
    }
    if (h.partial) {
        set16(l4, checksum, sum(covered));
        return l4;
    }
    put(covered, l4);
    uint32_t value = ~sum(covered) & 0xffff;
    if (h.proto == 17 && value == 0) value = 0xffff;
    if (!(h.proto == 17 && h.no_udp_checksum)) set16(l4, checksum, value);
    return l4;
}

Bytes ipv4(const Headers& h) {
    Bytes addresses, ip;
    put(addresses, h.ip_src, 4), put(addresses, h.ip_dst, 4);
    const Bytes l4 = transport(h, addresses);
    const size_t header = 20 + h.ip_options;
    put(ip, 0x40 | header / 4, 1), put(ip, h.tos, 1), put(ip, header + l4.size(), 2);
    put(ip, 0x1234, 2), put(ip, h.fragment, 2);
    put(ip, h.ttl, 1), put(ip, h.proto, 1), put(ip, 0, 2);
    put(ip, addresses);
    ip.resize(header, 1);  // options: no operation
    set16(ip, 10, ~sum(ip) & 0xffff);
    put(ip, l4);
    return ip;
}

Bytes ipv6(const Headers& h) {
    Bytes addresses, ip, routing;
    const std::array<uint8_t, 16> final_dst{0x20, 1, 0xd, 0xb8, 9};
    put(addresses, h.ip6_src);
    put(addresses, h.routing_left > 0 && h.routing_left < 256 ? final_dst : h.ip6_dst);
    if (h.routing_left < 256) {
        put(routing, h.proto, 1), put(routing, 2, 1), put(routing, 0, 1), put(routing, h.routing_left, 1);
        put(routing, 0, 4);
        put(routing, final_dst);
    }
    const Bytes l4 = transport(h, addresses);
    put(ip, 0x60000000u | uint32_t{h.tos} << 20 | h.flow_label, 4);
    put(ip, routing.size() + l4.size(), 2);
    put(ip, routing.empty() ? h.proto : 43, 1), put(ip, h.ttl, 1);
    put(ip, h.ip6_src), put(ip, h.ip6_dst);
    put(ip, routing), put(ip, l4);
    return ip;
}

Bytes arp(const Headers& h) {
    Bytes body;
    put(body, 0x000108000604, 6), put(body, h.arp_op, 2);
    put(body, h.arp_sha, 6), put(body, h.ip_src, 4), put(body, h.arp_tha, 6), put(body, h.ip_dst, 4);
    return body;
}

}  // namespace

Bytes frame(const Headers& h) {
    Bytes made;
    for (const Headers::Pbb& pbb : h.pbb) {
        put(made, pbb.dst, 6), put(made, pbb.src, 6);
        put(made, 0x88e7, 2), put(made, pbb.tag, 4);
    }
    put(made, h.dst, 6), put(made, h.src, 6);
    for (const auto& [tpid, tci] : h.tags) put(made, tpid, 2), put(made, tci, 2);
    const uint16_t inner = h.kind == Headers::V4    ? 0x0800
                           : h.kind == Headers::V6  ? 0x86dd
                           : h.kind == Headers::Arp ? 0x0806
                                                    : h.type;
    put(made, h.labels.empty() ? inner : h.label_type, 2);
    for (size_t i = 0; i < h.labels.size(); i++)
        put(made, (h.labels[i] & ~0x100u) | (i + 1 == h.labels.size() ? 0x100u : 0), 4);
    switch (h.kind) {
        case Headers::V4:
            put(made, ipv4(h));
            break;
        case Headers::V6:
            put(made, ipv6(h));
            break;
        case Headers::Arp:
            put(made, arp(h));
            break;
        case Headers::Raw:
            made.resize(made.size() + h.payload, 0x5a);
    }
    return made;
}

}  // namespace turnout::test
