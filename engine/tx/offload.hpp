// SPDX-License-Identifier: Apache-2.0
// What a guest left for hardware to do (checksums, segmentation), done in software for ports that can't.
// (rte_gso would cut TCP over IPv4 alone, and leaves all checksums to be done.)
#pragma once

#include <cstdint>
#include <span>

struct rte_mbuf;

namespace turnout {

// Whether the packet asks for something that a port with these tx offloads does not do.
bool needs_software(const rte_mbuf* packet, uint64_t tx_offloads);

// Writes the checksums that the packet asks for and takes the request off.
void finish_checksums(rte_mbuf* packet);

// Cuts a TCP super-packet into segments, checksums done; takes the packet. Returns how many packets `out` got, 0 if
// they don't fit or the pool is empty (the packet is freed then, too).
unsigned segment(rte_mbuf* packet, std::span<rte_mbuf*> out);

}  // namespace turnout
