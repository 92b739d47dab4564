// SPDX-License-Identifier: Apache-2.0
// Frames by their headers: each is built whole, with every checksum computed from the bytes, byte by byte. What a set
// of actions must make of a frame is then the frame of other headers.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace turnout::test {

using Bytes = std::vector<uint8_t>;

struct Headers {
    enum Kind : uint8_t { Raw, Arp, V4, V6 } kind = V4;
    uint64_t dst = 0x0200000000aa, src = 0x0200000000bb;
    struct Pbb {
        uint64_t dst, src;
        uint32_t tag;  // priority, I-SID
    };
    std::vector<Pbb> pbb{};                             // outermost first
    std::vector<std::pair<uint16_t, uint16_t>> tags{};  // TPID, TCI; outermost first
    std::vector<uint32_t> labels{};                     // as on the wire but for the bottom bit
    uint16_t label_type = 0x8847;
    uint16_t type = 0x88b5;  // of Raw
    // IP, ARP
    uint32_t ip_src = 0x0a000001, ip_dst = 0x0a000002;
    std::array<uint8_t, 16> ip6_src{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    std::array<uint8_t, 16> ip6_dst{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
    uint8_t tos = 0, ttl = 64, proto = 17;
    uint32_t flow_label = 0x12345;
    uint16_t fragment = 0;        // IPv4's flags and offset
    unsigned ip_options = 0;      // bytes, of IPv4
    unsigned routing_left = 256;  // IPv6: segments left of a routing header; 256: none
    uint16_t arp_op = 1;
    uint64_t arp_sha = 0x0200000000bb, arp_tha = 0;
    // L4
    uint16_t sport = 1000, dport = 2000;
    uint8_t icmp_type = 8, icmp_code = 0;
    uint8_t tcp_flags = 0x10;
    bool no_udp_checksum = false;
    std::array<uint8_t, 16> nd_target{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
    uint8_t nd_option = 0;  // 1: source, 2: target link-layer address
    uint64_t nd_address = 0x0200000000cc;
    bool partial = false;  // TCP, UDP: the checksum field holds the pseudo-header's sum
    unsigned payload = 26;
};

Bytes frame(const Headers& headers);

}  // namespace turnout::test
