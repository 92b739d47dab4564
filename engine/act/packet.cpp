// SPDX-License-Identifier: Apache-2.0
#include "engine/act/packet.hpp"

#include <algorithm>
#include <cstring>

namespace turnout {
namespace {

constexpr unsigned kL2Most = 0x7f;  // that rte_mbuf::l2_len holds [bytes]

}  // namespace

Part part_of(size_t offset) {
    if (offset < offsetof(FlowKey, eth.type)) return kPartEth;
    if (offset < offsetof(FlowKey, arrival)) return kPartVlan;
    if (offset < offsetof(FlowKey, net)) return kPartPipeline;
    if (offset < offsetof(FlowKey, net.ipv4_src)) return kPartLabels;
    if (offset < offsetof(FlowKey, tp)) return kPartNet;
    if (offset < offsetof(FlowKey, tunnel)) return kPartL4;
    return kPartPipeline;
}

std::span<const uint8_t> head_of_chain(const rte_mbuf* mbuf, std::array<uint8_t, kHead>& spare) {
    const uint32_t length = std::min<uint32_t>(kHead, mbuf->pkt_len);
    const void* read = rte_pktmbuf_read(mbuf, 0, length, spare.data());
    return {static_cast<const uint8_t*>(read), read ? length : 0};
}

void parse_again(Packet& packet, Depth depth) {
    std::array<uint8_t, kHead> spare;
    parse(head_of(packet.mbuf, spare), packet.mbuf->pkt_len, depth, packet.key, packet.layers);
    packet.depth = depth;
    packet.stale = false;
}

bool writable(Packet& packet) {
    const rte_mbuf* mbuf = packet.mbuf;
    bool own = mbuf->data_len >= kHead || mbuf->data_len == mbuf->pkt_len;
    if (RTE_MBUF_HAS_EXTBUF(mbuf))
        own = own && rte_mbuf_ext_refcnt_read(mbuf->shinfo) == 1;
    else
        own = own && !RTE_MBUF_CLONED(mbuf);
    if (own && rte_mbuf_refcnt_read(mbuf) == 1) [[likely]]
        return true;
    rte_mbuf* copy = rte_pktmbuf_copy(mbuf, mbuf->pool, 0, UINT32_MAX);
    if (!copy) return false;
    rte_pktmbuf_free(packet.mbuf);
    packet.mbuf = copy;
    return true;
}

bool insert(Packet& packet, uint32_t at, uint16_t n) {
    if (!writable(packet)) return false;
    if (rte_pktmbuf_headroom(packet.mbuf) < n) {
        rte_mbuf* copy = rte_pktmbuf_copy(packet.mbuf, packet.mbuf->pool, 0, UINT32_MAX);
        if (!copy) return false;
        rte_pktmbuf_free(packet.mbuf);
        packet.mbuf = copy;
    }
    if (at > packet.mbuf->data_len || packet.mbuf->l2_len + 0u + n > kL2Most) return false;
    char* start = rte_pktmbuf_prepend(packet.mbuf, n);
    if (!start) return false;
    std::memmove(start, start + n, at);
    if (packet.mbuf->l2_len) packet.mbuf->l2_len = static_cast<uint64_t>(packet.mbuf->l2_len + n) & kL2Most;
    return true;
}

bool remove(Packet& packet, uint32_t at, uint16_t n) {
    if (!writable(packet) || at + n > packet.mbuf->data_len) return false;
    char* start = rte_pktmbuf_mtod(packet.mbuf, char*);
    std::memmove(start + n, start, at);
    rte_pktmbuf_adj(packet.mbuf, n);
    const unsigned l2 = packet.mbuf->l2_len;
    packet.mbuf->l2_len = (l2 > n ? l2 - n : 0) & kL2Most;
    return true;
}

}  // namespace turnout
