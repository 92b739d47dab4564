// SPDX-License-Identifier: Apache-2.0
// Packets for tests: built as plain bytes, with checksums computed here byte by byte, then put into mbufs.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <span>
#include <vector>

namespace turnout::test {

using Bytes = std::vector<uint8_t>;

rte_mempool* pool();  // EAL runs; buffers hold kRoom bytes each
inline constexpr uint16_t kRoom = 2048;

// How a TCP or UDP packet is made. Its headers have fixed addresses and ports; its payload is a pattern.
struct Made {
    bool v6 = false;
    bool vlan = false;
    bool tcp = true;
    size_t ip_extra = 0;  // bytes of IPv4 options or of an IPv6 hop-by-hop header; a multiple of 8
    size_t tcp_options = 0;
    size_t payload = 0;
    uint8_t flags = 0x10;  // of TCP: ACK
    uint32_t seq = 1000;
    uint16_t id = 7;  // of IPv4

    size_t l2() const { return vlan ? 18 : 14; }
    size_t l3() const { return (v6 ? 40 : 20) + ip_extra; }
    size_t l4() const { return tcp ? 20 + tcp_options : 8; }
    size_t headers() const { return l2() + l3() + l4(); }
    size_t checksum_at() const { return l2() + l3() + (tcp ? 16 : 6); }
};

enum class Checksum { Full, Partial };  // Partial: the pseudo-header's sum, as a guest leaves it for hardware

Bytes bytes(const Made& made, Checksum checksum);
// What `made` is on the wire in segments of `mss` bytes.
std::vector<Bytes> segments(const Made& made, size_t mss);

// An mbuf of these bytes, in chained buffers of `first`, then `rest` bytes each. The data is in allocations of exactly
// that size: the sanitizer build sees any access past their ends.
rte_mbuf* mbuf(std::span<const uint8_t> bytes, size_t first = SIZE_MAX, size_t rest = 1000);
Bytes bytes(const rte_mbuf* packet);

// Checks at its end that no mbuf is lost.
struct NothingLost {
    ~NothingLost();
};

}  // namespace turnout::test
