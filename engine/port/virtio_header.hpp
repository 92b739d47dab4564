// SPDX-License-Identifier: Apache-2.0
// The virtio-net header (virtio 1.2, 5.1.6) that goes before a frame at a TAP, from and to an mbuf's offload request.
#pragma once

#include <cstdint>

struct rte_mbuf;

namespace turnout {

// <linux/virtio_net.h> has a member called "class": it can't be had in C++.
struct VirtioHeader {
    static constexpr uint8_t kNeedsChecksum = 1;                 // flags
    static constexpr uint8_t kTcp4 = 1, kTcp6 = 4, kEcn = 0x80;  // gso_type

    uint8_t flags = 0, gso_type = 0;
    uint16_t hdr_len = 0, gso_size = 0, csum_start = 0, csum_offset = 0;
};
static_assert(sizeof(VirtioHeader) == 10);

// Notes in the mbuf what the header asks for: as RTE_MBUF_F_TX_*, ready to be passed on by tx.
void take_request(const VirtioHeader& header, rte_mbuf* frame);
// The header that asks for what the mbuf asks for.
VirtioHeader give_request(const rte_mbuf* frame);

}  // namespace turnout
