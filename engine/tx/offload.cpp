// SPDX-License-Identifier: Apache-2.0
#include "engine/tx/offload.hpp"

#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include <algorithm>
#include <cstring>

namespace turnout {
namespace {

constexpr uint64_t kL4Request = RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG;

bool wants_l4(const rte_mbuf* packet) { return packet->ol_flags & kL4Request; }

// Where the L4 checksum field is, from the start of the packet; 0 if the headers don't hold together.
uint32_t checksum_offset(const rte_mbuf* packet) {
    const uint32_t l4 = packet->l2_len + packet->l3_len;
    const bool tcp = (packet->ol_flags & RTE_MBUF_F_TX_TCP_SEG) ||
                     (packet->ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_TCP_CKSUM;
    const uint32_t at =
        l4 + static_cast<uint32_t>(tcp ? offsetof(rte_tcp_hdr, cksum) : offsetof(rte_udp_hdr, dgram_cksum));
    const uint32_t l3_least = packet->ol_flags & RTE_MBUF_F_TX_IPV6 ? sizeof(rte_ipv6_hdr) : sizeof(rte_ipv4_hdr);
    if (packet->l2_len < 14 || packet->l3_len < l3_least) return 0;
    return at + 2 <= packet->data_len ? at : 0;
}

void copy_request(rte_mbuf* piece, const rte_mbuf* packet) {
    piece->ol_flags = (packet->ol_flags & (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6)) | RTE_MBUF_F_TX_TCP_CKSUM;
    if (packet->ol_flags & RTE_MBUF_F_TX_IPV4) piece->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
    piece->l2_len = packet->l2_len;
    piece->l3_len = packet->l3_len;
    piece->l4_len = packet->l4_len;
}

// The header fields in which segment `index`, `sent` bytes into the stream, differs from the super-packet.
void renumber(rte_mbuf* piece, uint32_t sent, unsigned index, bool last) {
    if (piece->ol_flags & RTE_MBUF_F_TX_IPV6) {
        auto* ip = rte_pktmbuf_mtod_offset(piece, rte_ipv6_hdr*, piece->l2_len);
        ip->payload_len = rte_cpu_to_be_16(static_cast<uint16_t>(piece->pkt_len - piece->l2_len - sizeof *ip));
    } else {
        auto* ip = rte_pktmbuf_mtod_offset(piece, rte_ipv4_hdr*, piece->l2_len);
        ip->total_length = rte_cpu_to_be_16(static_cast<uint16_t>(piece->pkt_len - piece->l2_len));
        ip->packet_id = rte_cpu_to_be_16(static_cast<uint16_t>(rte_be_to_cpu_16(ip->packet_id) + index));
    }
    auto* tcp = rte_pktmbuf_mtod_offset(piece, rte_tcp_hdr*, piece->l2_len + piece->l3_len);
    tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + sent);
    if (!last) tcp->tcp_flags &= static_cast<uint8_t>(~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG));
    if (index != 0) tcp->tcp_flags &= static_cast<uint8_t>(~RTE_TCP_CWR_FLAG);
}

}  // namespace

bool needs_software(const rte_mbuf* packet, uint64_t tx_offloads) {
    if ((packet->ol_flags & RTE_MBUF_F_TX_TCP_SEG) && !(tx_offloads & RTE_ETH_TX_OFFLOAD_TCP_TSO)) return true;
    return wants_l4(packet) && !(tx_offloads & RTE_ETH_TX_OFFLOAD_TCP_CKSUM);
}

void finish_checksums(rte_mbuf* packet) {
    const uint32_t at = checksum_offset(packet);
    if (at != 0) {
        auto* field = rte_pktmbuf_mtod_offset(packet, uint16_t*, at);
        *field = 0;
        const uint16_t l4 = static_cast<uint16_t>(packet->l2_len + packet->l3_len);
        const bool v6 = packet->ol_flags & RTE_MBUF_F_TX_IPV6;
        uint16_t sum = 0;
        if (v6) {
            sum =
                rte_ipv6_udptcp_cksum_mbuf(packet, rte_pktmbuf_mtod_offset(packet, rte_ipv6_hdr*, packet->l2_len), l4);
        } else {
            auto* ip = rte_pktmbuf_mtod_offset(packet, rte_ipv4_hdr*, packet->l2_len);
            if (packet->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) {
                ip->hdr_checksum = 0;
                ip->hdr_checksum = rte_ipv4_cksum(ip);
            }
            sum = rte_ipv4_udptcp_cksum_mbuf(packet, ip, l4);
        }
        *field = sum;
    }
    packet->ol_flags &= ~(kL4Request | RTE_MBUF_F_TX_IP_CKSUM);
}

unsigned segment(rte_mbuf* packet, std::span<rte_mbuf*> out) {
    const uint32_t headers = packet->l2_len + packet->l3_len + packet->l4_len;
    const uint32_t mss = packet->tso_segsz;
    unsigned made = 0;
    bool whole = checksum_offset(packet) != 0 && packet->l4_len >= sizeof(rte_tcp_hdr) && mss != 0 &&
                 headers <= std::min<uint32_t>(packet->data_len, RTE_PKTMBUF_HEADROOM);
    for (uint32_t sent = 0; whole && (sent == 0 || headers + sent < packet->pkt_len); sent += mss) {
        const uint32_t payload = std::min(mss, packet->pkt_len - headers - sent);
        rte_mbuf* piece = made < out.size() ? rte_pktmbuf_copy(packet, packet->pool, headers + sent, payload) : nullptr;
        if (!piece || !rte_pktmbuf_prepend(piece, static_cast<uint16_t>(headers))) {
            rte_pktmbuf_free(piece);
            whole = false;
            break;
        }
        std::memcpy(rte_pktmbuf_mtod(piece, void*), rte_pktmbuf_mtod(packet, void*), headers);
        copy_request(piece, packet);
        renumber(piece, sent, made, headers + sent + payload == packet->pkt_len);
        finish_checksums(piece);
        out[made++] = piece;
    }
    rte_pktmbuf_free(packet);
    if (!whole) {
        rte_pktmbuf_free_bulk(out.data(), made);
        made = 0;
    }
    return made;
}

}  // namespace turnout
