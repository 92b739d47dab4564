// SPDX-License-Identifier: Apache-2.0
// The Internet checksum (RFC 1071) over packets of several segments.
#pragma once

#include <rte_ip.h>
#include <rte_mbuf.h>

#include <cstring>

namespace turnout {

inline uint16_t fold(uint32_t sum) {
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>((sum & 0xffff) + (sum >> 16));
}

// The ones' complement sum from `start` to the packet's end. Segments may be of odd length, for which DPDK 22.11's
// rte_raw_cksum_mbuf() loses carries.
inline uint16_t raw_sum(const rte_mbuf* packet, uint32_t start) {
    uint32_t sum = 0;
    bool odd = false;
    for (const rte_mbuf* segment = packet; segment; segment = segment->next) {
        if (start >= segment->data_len) {
            start -= segment->data_len;
            continue;
        }
        const uint32_t length = segment->data_len - start;
        const uint16_t part = rte_raw_cksum(rte_pktmbuf_mtod_offset(segment, const char*, start), length);
        sum += odd ? rte_bswap16(part) : part;
        odd ^= length & 1;
        start = 0;
    }
    return fold(sum);
}

// Writes the checksum of all from `start` on, in place of the two bytes at `at`, not before `start`, which hold the
// pseudo-header's sum until then (virtio 1.2, 5.1.6.2). Changes nothing unless the first segment has them.
inline void complete_checksum(rte_mbuf* packet, uint32_t start, uint32_t at) {
    if (at + sizeof(uint16_t) > packet->data_len) return;
    const auto sum = static_cast<uint16_t>(~raw_sum(packet, start));
    const uint16_t field = sum ? sum : 0xffff;  // the same number; 0 in UDP says that there is no checksum
    std::memcpy(rte_pktmbuf_mtod_offset(packet, void*, at), &field, sizeof field);
}

}  // namespace turnout
