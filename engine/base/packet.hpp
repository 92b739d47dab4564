// SPDX-License-Identifier: Apache-2.0
// A packet's VLAN tag: what act does to an mbuf. The worker has seen to it that the first segment holds the whole tag.
#pragma once

#include <rte_mbuf.h>

#include <cstring>

#include "engine/base/types.hpp"

namespace turnout {

constexpr unsigned kTagOffset = 12;  // of the outer VLAN tag, behind the MAC addresses

// Inserts an 802.1Q tag; false if the buffer has no room.
inline bool push_vlan(rte_mbuf* packet, uint16_t tci) {
    if (packet->data_len < kTagOffset) return false;
    char* start = rte_pktmbuf_prepend(packet, kVlanTag);
    if (!start) return false;
    std::memmove(start, start + kVlanTag, kTagOffset);
    start[kTagOffset] = static_cast<char>(0x81);
    start[kTagOffset + 1] = 0;
    start[kTagOffset + 2] = static_cast<char>(tci >> 8);
    start[kTagOffset + 3] = static_cast<char>(tci);
    if (packet->l2_len) packet->l2_len = static_cast<uint64_t>(packet->l2_len + kVlanTag) & 0x7f;
    return true;
}

// Takes the outer tag off; the packet has one.
inline void pop_vlan(rte_mbuf* packet) {
    char* start = rte_pktmbuf_mtod(packet, char*);
    std::memmove(start + kVlanTag, start, kTagOffset);
    rte_pktmbuf_adj(packet, kVlanTag);
    if (packet->l2_len) packet->l2_len = static_cast<uint64_t>(packet->l2_len - kVlanTag) & 0x7f;
}

// Changes the VLAN of the outer tag; priority stays.
inline void set_vid(rte_mbuf* packet, uint16_t vid) {
    char* start = rte_pktmbuf_mtod(packet, char*);
    start[kTagOffset + 2] = static_cast<char>((start[kTagOffset + 2] & 0xf0) | vid >> 8);
    start[kTagOffset + 3] = static_cast<char>(vid);
}

}  // namespace turnout
