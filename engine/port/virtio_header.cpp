// SPDX-License-Identifier: Apache-2.0
#include "engine/port/virtio_header.hpp"

#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "engine/base/checksum.hpp"

namespace turnout {
namespace {

constexpr uint16_t kL3Most = 0x1ff;  // that rte_mbuf::l3_len holds [bytes]

}  // namespace

void take_request(const VirtioHeader& header, rte_mbuf* frame) {
    if (!(header.flags & VirtioHeader::kNeedsChecksum)) return;
    rte_net_hdr_lens lengths{};
    const uint32_t type = rte_net_get_ptype(frame, &lengths, RTE_PTYPE_L2_MASK | RTE_PTYPE_L3_MASK | RTE_PTYPE_L4_MASK);
    const uint32_t l4 = type & RTE_PTYPE_L4_MASK;
    const bool tcp = l4 == RTE_PTYPE_L4_TCP && header.csum_offset == offsetof(rte_tcp_hdr, cksum);
    const bool udp = l4 == RTE_PTYPE_L4_UDP && header.csum_offset == offsetof(rte_udp_hdr, dgram_cksum);
    if ((!tcp && !udp) || lengths.l2_len + lengths.l3_len != header.csum_start || lengths.l3_len > kL3Most) {
        // DPDK has no request for that: done at once.
        complete_checksum(frame, header.csum_start, uint32_t{header.csum_start} + header.csum_offset);
        return;
    }
    frame->l2_len = lengths.l2_len & 0x7f;
    frame->l3_len = lengths.l3_len & kL3Most;
    frame->ol_flags |= tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
    frame->ol_flags |= RTE_ETH_IS_IPV6_HDR(type) ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
    const unsigned gso = header.gso_type & ~VirtioHeader::kEcn;
    const bool segments = gso == VirtioHeader::kTcp4 || gso == VirtioHeader::kTcp6;
    if (tcp && segments && header.gso_size != 0 && lengths.l4_len >= sizeof(rte_tcp_hdr)) {
        frame->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
        frame->l4_len = lengths.l4_len;
        frame->tso_segsz = header.gso_size;
    }
}

VirtioHeader give_request(const rte_mbuf* frame) {
    VirtioHeader header;
    const uint64_t l4 = frame->ol_flags & RTE_MBUF_F_TX_L4_MASK;
    const bool tso = frame->ol_flags & RTE_MBUF_F_TX_TCP_SEG;
    if (!tso && l4 != RTE_MBUF_F_TX_TCP_CKSUM && l4 != RTE_MBUF_F_TX_UDP_CKSUM) return header;
    header.flags = VirtioHeader::kNeedsChecksum;
    header.csum_start = static_cast<uint16_t>(frame->l2_len + frame->l3_len);
    header.csum_offset =
        tso || l4 == RTE_MBUF_F_TX_TCP_CKSUM ? offsetof(rte_tcp_hdr, cksum) : offsetof(rte_udp_hdr, dgram_cksum);
    if (tso) {
        header.gso_type = frame->ol_flags & RTE_MBUF_F_TX_IPV6 ? VirtioHeader::kTcp6 : VirtioHeader::kTcp4;
        header.gso_size = frame->tso_segsz;
        header.hdr_len = static_cast<uint16_t>(frame->l2_len + frame->l3_len + frame->l4_len);
    }
    return header;
}

}  // namespace turnout
