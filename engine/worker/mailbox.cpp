// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/mailbox.hpp"

#include <rte_mbuf.h>
#include <rte_ring.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <string>

#include "engine/base/error.hpp"

namespace turnout {
namespace {

rte_ring* make_ring(unsigned records) {
    static std::atomic<unsigned> made{0};
    const std::string name = "mailbox-" + std::to_string(made.fetch_add(1));
    rte_ring* ring =
        rte_ring_create(name.c_str(), std::bit_ceil(records + 1), SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    if (!ring) throw Error("a worker's mailbox: no memory");
    return ring;
}

template <typename T>
T* pop(rte_ring* ring) {
    void* record = nullptr;
    return rte_ring_sc_dequeue(ring, &record) == 0 ? static_cast<T*>(record) : nullptr;
}

void push(rte_ring* ring, void* record) { rte_ring_sp_enqueue(ring, record); }  // there is room for all records

}  // namespace

Mailbox::Mailbox(int eventfd, unsigned events, unsigned outgoing)
    : eventfd_(eventfd), events_(events), outgoing_(outgoing) {
    try {
        posted_ = make_ring(events);
        blank_ = make_ring(events);
        sent_ = make_ring(outgoing);
        idle_ = make_ring(outgoing);
    } catch (...) {
        for (rte_ring* ring : {posted_, blank_, sent_, idle_}) rte_ring_free(ring);
        throw;
    }
    for (Event& event : events_) push(blank_, &event);
    for (Outgoing& out : outgoing_) push(idle_, &out);
}

Mailbox::~Mailbox() {
    for (Event& event : events_) rte_pktmbuf_free(event.packet);
    for (Outgoing& out : outgoing_) rte_pktmbuf_free(out.packet);
    for (rte_ring* ring : {posted_, blank_, sent_, idle_}) rte_ring_free(ring);
}

Event* Mailbox::blank() { return pop<Event>(blank_); }

void Mailbox::post(Event* event) {
    push(posted_, event);
    // Either we see here that the reader took all before, or the reader sees this one before it stops reading.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (rte_ring_count(posted_) <= 1) kick();
}

Outgoing* Mailbox::next() { return pop<Outgoing>(sent_); }

void Mailbox::done(Outgoing* sent) { push(idle_, sent); }

bool Mailbox::has_outgoing() const { return !rte_ring_empty(sent_); }

Event* Mailbox::next_event() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return pop<Event>(posted_);
}

void Mailbox::recycle(Event* event) {
    rte_pktmbuf_free(event->packet);
    event->packet = nullptr;
    event->userdata.reset();
    event->learn.reset();
    push(blank_, event);
}

void Mailbox::rekick() {
    if (!rte_ring_empty(posted_)) kick();
}

void Mailbox::kick() { eventfd_write(eventfd_, 1); }

bool Mailbox::send(Outgoing&& outgoing) {
    Outgoing* record = pop<Outgoing>(idle_);
    if (!record) return false;
    *record = std::move(outgoing);
    outgoing.packet = nullptr;
    push(sent_, record);
    return true;
}

rte_mbuf* make_packet(rte_mempool* pool, std::span<const uint8_t> frame) {
    rte_mbuf* packet = rte_pktmbuf_alloc(pool);
    for (rte_mbuf* segment = packet; segment;) {
        const auto n = static_cast<uint16_t>(std::min<size_t>(frame.size(), rte_pktmbuf_tailroom(segment)));
        std::copy_n(frame.data(), n, rte_pktmbuf_mtod(segment, uint8_t*));
        segment->data_len = n;
        if (segment != packet) packet->pkt_len += n;
        if (segment == packet) packet->pkt_len = n;
        frame = frame.subspan(n);
        if (frame.empty()) return packet;
        segment->next = rte_pktmbuf_alloc(pool);
        segment = segment->next;
        if (segment) packet->nb_segs++;
    }
    rte_pktmbuf_free(packet);
    return nullptr;
}

}  // namespace turnout
