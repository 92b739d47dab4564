// SPDX-License-Identifier: Apache-2.0
#include "engine/tx/offload.hpp"

#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include <algorithm>
#include <cstring>

#include "engine/base/checksum.hpp"

namespace turnout {
namespace {

constexpr uint64_t kL4Request = RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG;

// The tx offloads that the packet is in need of, of those that are done here. (SCTP's CRC is left to the far end.)
uint64_t needed(const rte_mbuf* packet) {
    if (packet->ol_flags & RTE_MBUF_F_TX_TCP_SEG) return RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
    switch (packet->ol_flags & RTE_MBUF_F_TX_L4_MASK) {
        case RTE_MBUF_F_TX_TCP_CKSUM:
            return RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
        case RTE_MBUF_F_TX_UDP_CKSUM:
            return RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
        default:
            return 0;
    }
}

// Where the L4 checksum field is, from the start of the packet; 0 if the headers don't hold together.
uint32_t checksum_offset(const rte_mbuf* packet) {
    const uint64_t needs = needed(packet);
    if (needs == 0) return 0;
    const size_t in_l4 =
        needs & RTE_ETH_TX_OFFLOAD_TCP_CKSUM ? offsetof(rte_tcp_hdr, cksum) : offsetof(rte_udp_hdr, dgram_cksum);
    const auto at = static_cast<uint32_t>(packet->l2_len + packet->l3_len + in_l4);
    const uint32_t l3_least = packet->ol_flags & RTE_MBUF_F_TX_IPV6 ? sizeof(rte_ipv6_hdr) : sizeof(rte_ipv4_hdr);
    if (packet->l2_len < RTE_ETHER_HDR_LEN || packet->l3_len < l3_least) return 0;
    return at + sizeof(uint16_t) <= packet->data_len ? at : 0;
}

// What the checksum field of a TCP segment starts from (RFC 9293, 3.1; RFC 8200, 8.1).
uint16_t pseudo_header_sum(const void* addresses, size_t size, uint32_t l4_size) {
    const uint32_t rest[] = {rte_cpu_to_be_32(l4_size), rte_cpu_to_be_32(IPPROTO_TCP)};
    return fold(uint32_t{rte_raw_cksum(addresses, size)} + rte_raw_cksum(rest, sizeof rest));
}

// A packet of the super-packet's headers and `size` bytes of its payload, that asks for all checksums; null if the
// pool is empty, or a headroom too small.
rte_mbuf* cut(const rte_mbuf* packet, uint32_t headers, uint32_t from, uint32_t size) {
    rte_mbuf* piece = rte_pktmbuf_copy(packet, packet->pool, headers + from, size);
    if (!piece) return nullptr;
    char* start = rte_pktmbuf_prepend(piece, static_cast<uint16_t>(headers));
    if (!start) {
        rte_pktmbuf_free(piece);
        return nullptr;
    }
    std::memcpy(start, rte_pktmbuf_mtod(packet, const void*), headers);
    piece->ol_flags = (packet->ol_flags & (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6)) | RTE_MBUF_F_TX_TCP_CKSUM |
                      RTE_MBUF_F_TX_IP_CKSUM;
    piece->l2_len = packet->l2_len;
    piece->l3_len = packet->l3_len;
    piece->l4_len = packet->l4_len;
    return piece;
}

// The header fields in which segment `index`, `sent` bytes into the stream, differs from the super-packet.
void renumber(rte_mbuf* piece, uint32_t sent, unsigned index, bool last) {
    auto* tcp = rte_pktmbuf_mtod_offset(piece, rte_tcp_hdr*, piece->l2_len + piece->l3_len);
    const uint32_t l3_size = piece->pkt_len - piece->l2_len, l4_size = l3_size - piece->l3_len;
    if (piece->ol_flags & RTE_MBUF_F_TX_IPV6) {
        auto* ip = rte_pktmbuf_mtod_offset(piece, rte_ipv6_hdr*, piece->l2_len);
        ip->payload_len = rte_cpu_to_be_16(static_cast<uint16_t>(l3_size - sizeof *ip));
        tcp->cksum =
            pseudo_header_sum(reinterpret_cast<const char*>(ip) + offsetof(rte_ipv6_hdr, src_addr), 32, l4_size);
    } else {
        auto* ip = rte_pktmbuf_mtod_offset(piece, rte_ipv4_hdr*, piece->l2_len);
        ip->total_length = rte_cpu_to_be_16(static_cast<uint16_t>(l3_size));
        ip->packet_id = rte_cpu_to_be_16(static_cast<uint16_t>(rte_be_to_cpu_16(ip->packet_id) + index));
        tcp->cksum =
            pseudo_header_sum(reinterpret_cast<const char*>(ip) + offsetof(rte_ipv4_hdr, src_addr), 8, l4_size);
    }
    tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + sent);
    if (!last) tcp->tcp_flags &= static_cast<uint8_t>(~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG));
    if (index != 0) tcp->tcp_flags &= static_cast<uint8_t>(~RTE_TCP_CWR_FLAG);
}

}  // namespace

bool needs_software(const rte_mbuf* packet, uint64_t tx_offloads) { return needed(packet) & ~tx_offloads; }

void finish_checksums(rte_mbuf* packet) {
    if (const uint32_t at = checksum_offset(packet); at != 0) {
        if ((packet->ol_flags & (RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_IPV6)) == RTE_MBUF_F_TX_IP_CKSUM) {
            auto* ip = rte_pktmbuf_mtod_offset(packet, rte_ipv4_hdr*, packet->l2_len);
            ip->hdr_checksum = 0;
            ip->hdr_checksum = static_cast<uint16_t>(~rte_raw_cksum(ip, packet->l3_len));
        }
        complete_checksum(packet, packet->l2_len + packet->l3_len, at);
    }
    packet->ol_flags &= ~(kL4Request | RTE_MBUF_F_TX_IP_CKSUM);
}

unsigned segment(rte_mbuf* packet, std::span<rte_mbuf*> out) {
    const uint32_t headers = packet->l2_len + packet->l3_len + packet->l4_len;
    const uint32_t mss = packet->tso_segsz;
    const bool sound = checksum_offset(packet) != 0 && packet->l4_len >= sizeof(rte_tcp_hdr) &&
                       headers <= packet->data_len && mss != 0;
    const uint32_t payload = sound ? packet->pkt_len - headers : 0;
    const uint32_t wanted = sound ? (payload + mss - 1) / mss : 0;
    unsigned made = 0;
    for (; made < wanted && wanted <= out.size(); made++) {
        const uint32_t sent = made * mss;
        rte_mbuf* piece = cut(packet, headers, sent, std::min(mss, payload - sent));
        if (!piece) break;
        renumber(piece, sent, made, made + 1 == wanted);
        finish_checksums(piece);
        out[made] = piece;
    }
    rte_pktmbuf_free(packet);
    if (made == wanted) return made;
    rte_pktmbuf_free_bulk(out.data(), made);
    return 0;
}

}  // namespace turnout
