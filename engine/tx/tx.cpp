// SPDX-License-Identifier: Apache-2.0
#include "engine/tx/tx.hpp"

#include <rte_ethdev.h>

#include "engine/port/device.hpp"
#include "engine/tx/offload.hpp"

namespace turnout {
namespace {

constexpr unsigned kSegmentsMost = 256;  // of a 64 KiB super-packet at an MSS of 256 bytes
constexpr uint32_t kSuperMost = 65535 + kEtherHeader + 2 * kVlanTag;
constexpr uint8_t kPatchHopsMost = 8;
constexpr uint64_t kTso4 = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IPV4;
constexpr uint64_t kRequests = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG | RTE_MBUF_F_TX_L4_MASK;

// The longest frame that the packet becomes: a super-packet's length is not a frame's.
uint32_t frame_length(const rte_mbuf* packet) {
    if (!(packet->ol_flags & RTE_MBUF_F_TX_TCP_SEG)) [[likely]]
        return packet->pkt_len;
    if (packet->pkt_len > kSuperMost) return packet->pkt_len;  // nobody's IP packet
    const auto headers = static_cast<uint32_t>(packet->l2_len + packet->l3_len + packet->l4_len);
    return std::min<uint32_t>(packet->pkt_len, headers + packet->tso_segsz);
}

uint64_t bytes_of(std::span<rte_mbuf*> packets) {
    uint64_t bytes = 0;
    for (const rte_mbuf* packet : packets) bytes += packet->pkt_len;
    return bytes;
}

}  // namespace

void Tx::drop(PortNo port, Drop reason, rte_mbuf* packet) {
    counters_[port].drop(reason);
    rte_pktmbuf_free(packet);
}

void Tx::push(const Plan& plan, PortNo port, std::span<rte_mbuf* const> packets) {
    Buffer& buffer = buffers_[port];
    if (!buffer.waits) {
        buffer.waits = true;
        waiting_[waiting_n_++] = port;
    }
    buffer.hops = std::max(buffer.hops, hops_);
    if (buffer.n + packets.size() > kBurst) {
        if (plan.ports[port].device) {
            send(plan.ports[port], port);
        } else {  // more than a burst into a patch port before its peer took any: only a storm between bridges does
                  // that
            for (rte_mbuf* packet : packets) drop(port, Drop::PatchLoop, packet);
            return;
        }
    }
    std::copy(packets.begin(), packets.end(), buffer.packets.begin() + buffer.n);
    buffer.n = static_cast<uint16_t>(buffer.n + packets.size());
}

void Tx::flush(const Plan& plan) {
    for (unsigned i = 0; i < waiting_n_; i++) {
        const PortNo port = waiting_[i];
        send(plan.ports[port], port);
        buffers_[port].waits = false;
    }
    waiting_n_ = 0;
    hops_ = 0;
}

PortNo Tx::take_patched(const Plan& plan, std::array<rte_mbuf*, kBurst>& packets, unsigned& n) {
    for (unsigned i = 0; i < waiting_n_; i++) {
        const PortNo port = waiting_[i];
        Buffer& buffer = buffers_[port];
        if (plan.ports[port].device || buffer.n == 0) continue;
        const std::span<rte_mbuf*> taken(buffer.packets.data(), buffer.n);
        hops_ = static_cast<uint8_t>(buffer.hops + 1);
        buffer.n = 0;
        buffer.hops = 0;
        const PortNo peer = plan.ports[port].peer;
        if (peer == kNoPort || !plan.ports[peer].exists || hops_ > kPatchHopsMost) {
            const Drop reason = hops_ > kPatchHopsMost ? Drop::PatchLoop : Drop::PatchNoPeer;
            for (rte_mbuf* packet : taken) drop(port, reason, packet);
            continue;
        }
        n = static_cast<unsigned>(taken.size());
        std::copy(taken.begin(), taken.end(), packets.begin());
        counters_[port].tx_packets.add(n);
        counters_[port].tx_bytes.add(bytes_of(taken));
        return peer;
    }
    return kNoPort;
}

void Tx::send(const PortView& view, PortNo port) {
    Buffer& buffer = buffers_[port];
    if (buffer.n == 0) return;
    std::span<rte_mbuf*> packets(buffer.packets.data(), buffer.n);
    buffer.n = 0;
    if (!view.device->up()) {
        for (rte_mbuf* packet : packets) drop(port, Drop::PortDown, packet);
        return;
    }
    uint64_t bytes = 0;
    bool usual = true;  // short enough, in one piece, and with nothing asked of the hardware
    for (const rte_mbuf* packet : packets) {
        bytes += packet->pkt_len;
        usual &= (packet->pkt_len <= view.longest) & (packet->nb_segs == 1) & !(packet->ol_flags & kRequests);
    }
    if (usual) [[likely]]
        return transmit(view, port, packets, bytes);

    const uint64_t offloads = view.device->tx_offloads();
    unsigned plain = 0;
    bytes = 0;
    for (rte_mbuf* packet : packets) {
        if (frame_length(packet) > view.longest) [[unlikely]] {
            drop(port, Drop::TooLong, packet);
            continue;
        }
        if (packet->nb_segs > 1 && !(offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) && rte_pktmbuf_linearize(packet) != 0)
            [[unlikely]] {
            drop(port, Drop::TooLong, packet);
            continue;
        }
        if (packet->ol_flags & kRequests) [[unlikely]] {
            if (packet->ol_flags & RTE_MBUF_F_TX_UDP_SEG) {
                drop(port, Drop::NoSegments, packet);
                continue;
            }
            if (needs_software(packet, offloads)) {
                send_in_software(view, port, packet);
                continue;
            }
            // rte_mbuf_core.h: whoever asks for segments of IPv4 asks for their header checksums, too.
            if ((packet->ol_flags & kTso4) == kTso4) packet->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
        }
        bytes += packet->pkt_len;
        packets[plain++] = packet;
    }
    if (plain) transmit(view, port, packets.first(plain), bytes);
}

void Tx::send_in_software(const PortView& view, PortNo port, rte_mbuf* packet) {
    std::array<rte_mbuf*, kSegmentsMost> pieces{packet};
    unsigned n = 1;
    if (packet->ol_flags & RTE_MBUF_F_TX_TCP_SEG) {
        n = segment(packet, pieces);
        if (n == 0) counters_[port].drop(Drop::NoSegments);
    } else {
        finish_checksums(packet);
    }
    const auto made = std::span(pieces).first(n);
    if (n) transmit(view, port, made, bytes_of(made));
}

void Tx::transmit(const PortView& view, PortNo port, std::span<rte_mbuf*> packets, uint64_t bytes) {
    Device& device = *view.device;
    const uint16_t queue = device.txq(worker_);
    rte_spinlock_t* lock = view.shared_txqs ? device.tx_lock(queue) : nullptr;
    if (lock) rte_spinlock_lock(lock);
    PortCounters& counters = counters_[port];
    uint64_t sent = 0;
    while (!packets.empty()) {
        const Device::Sent result = device.tx(queue, packets);
        sent += result.n;
        packets = packets.subspan(result.n);
        if (packets.empty() || (result.n > 0 && result.refused == Drop::TxFull)) continue;
        const size_t lost = result.refused == Drop::Refused ? 1 : packets.size();
        counters.drop(result.refused, lost);
        bytes -= bytes_of(packets.first(lost));
        rte_pktmbuf_free_bulk(packets.data(), static_cast<unsigned>(lost));
        packets = packets.subspan(lost);
    }
    if (lock) rte_spinlock_unlock(lock);
    counters.tx_packets.add(sent);
    counters.tx_bytes.add(bytes);
}

}  // namespace turnout
