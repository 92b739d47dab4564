// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/worker.hpp"

#include <emmintrin.h>
#include <pthread.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "engine/act/act.hpp"
#include "engine/base/error.hpp"
#include "engine/base/packet.hpp"
#include "engine/parse/ethernet.hpp"

namespace turnout {
namespace {

constexpr unsigned kL2Most = kEtherHeader + kVlanTag;  // bytes of the head that act may rewrite

void settle_on(unsigned core, unsigned index) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are the process's own affair
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(core, &cpus);
    pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus);
    pthread_setname_np(pthread_self(), ("turnout-w" + std::to_string(index)).c_str());
    prctl(PR_SET_TIMERSLACK, 1000UL);  // ns: short naps stay short
    rte_thread_register();             // gives the mempool a cache for this thread
}

// MAC addresses, EtherType and, of a tagged frame, the tag: all that NORMAL reads.
bool same_l2(const uint8_t* a, const uint8_t* b) {
    const __m128i first = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a));
    const __m128i second = _mm_loadu_si128(reinterpret_cast<const __m128i*>(b));
    return _mm_movemask_epi8(_mm_cmpeq_epi8(first, second)) == 0xffff;
}

}  // namespace

uint32_t Shared::second() const { return static_cast<uint32_t>((rte_rdtsc() - start_tsc) / rte_get_tsc_hz()); }

Worker::Worker(unsigned index, unsigned core, const Shared& shared, int events_fd)
    : index_(index),
      core_(core),
      shared_(shared),
      tx_(index),
      mailbox_(events_fd),
      walk_(tx_, tallies_, mailbox_),
      wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (wake_fd_ < 0) throw Error("worker on core " + std::to_string(core) + ": no file descriptor left");
    rte_rcu_qsbr_thread_register(shared_.qsbr, index_);
    try {
        thread_ = std::thread([this] { run(); });
    } catch (const std::system_error& error) {
        ::close(wake_fd_);
        throw Error("worker on core " + std::to_string(core) + ": no thread: " + error.what());
    }
}

Worker::~Worker() { ::close(wake_fd_); }

void Worker::join() {
    wake();
    thread_.join();
    rte_rcu_qsbr_thread_unregister(shared_.qsbr, index_);
}

void Worker::wake() const { eventfd_write(wake_fd_, 1); }

void Worker::finish_sleep() const {
    const uint32_t turn = sleep_turn_.load(std::memory_order_acquire);
    if (turn % 2 == 0) return;
    wake();
    while (sleep_turn_.load(std::memory_order_acquire) == turn) std::this_thread::yield();
}

void Worker::run() {
    settle_on(core_, index_);
    rte_rcu_qsbr_thread_online(shared_.qsbr, index_);
    const uint64_t spin = rte_get_tsc_hz() / 1'000'000 * static_cast<uint64_t>(std::max<int64_t>(shared_.spin_us, 0));
    now_ = rte_rdtsc();
    uint64_t busy_until = now_;
    while (!shared_.stop.load(std::memory_order_relaxed)) {
        if (now_ >= next_second_) tick();
        const Plan& plan = *shared_.plan.load(std::memory_order_acquire);
        if (poll(plan) > 0) {
            busy_until = now_ + spin;
        } else {
            now_ = rte_rdtsc();
            if (shared_.spin_us >= 0 && now_ > busy_until) sleep(plan);
        }
        rte_rcu_qsbr_quiescent(shared_.qsbr, index_);
    }
    rte_rcu_qsbr_thread_offline(shared_.qsbr, index_);
    rte_thread_unregister();
}

void Worker::tick() {
    second_ = shared_.second();
    next_second_ = shared_.start_tsc + (uint64_t{second_} + 1) * rte_get_tsc_hz();
}

// One burst from each queue; returns how many packets there were. The clock is read once a burst: now_ is when the last
// one ended, or when nothing was found.
unsigned Worker::poll(const Plan& plan) {
    unsigned total = 0;
    if (mailbox_.has_outgoing()) [[unlikely]] {
        total += walk_.packet_outs(plan, second_);
        send(plan);
    }
    for (const RxQueue& queue : plan.queues[index_]) {
        Burst burst;
        const std::span<rte_mbuf*> packets = rx(queue, burst);
        if (packets.empty()) continue;
        forward(plan, queue.port, packets);
        send(plan);
        const uint64_t after = rte_rdtsc();
        queue.device->note_load(queue.queue, packets.size(), after - now_);
        load_.busy_cycles.add(after - now_);
        now_ = after;
        total += static_cast<unsigned>(packets.size());
    }
    if (total) load_.packets.add(total);
    return total;
}

// What act gathered leaves; what left by a patch port goes around first.
void Worker::send(const Plan& plan) {
    Burst patched;
    unsigned n;
    for (PortNo port; (port = tx_.take_patched(plan, patched, n)) != kNoPort;)
        forward(plan, port, std::span(patched).first(n));
    tx_.flush(plan);
}

void Worker::forward(const Plan& plan, PortNo in_port, std::span<rte_mbuf*> packets) {
    const BridgeView& bridge = plan.bridges[plan.ports[in_port].bridge];
    const of::Pipeline& pipeline = *bridge.pipeline;
    const bool plain = bridge.plain && pipeline.frag.load(std::memory_order_relaxed) != of::Frag::Drop;
    const Rule* normal = plain ? pipeline.all_normal.load(std::memory_order_acquire) : nullptr;
    if (normal) [[likely]]
        switch_normally(plan, in_port, packets, pipeline, *normal);
    else
        walk_.forward(plan, in_port, packets, pipeline, second_);
}

void Worker::switch_normally(const Plan& plan, PortNo in_port, std::span<rte_mbuf*> packets,
                             const of::Pipeline& pipeline, const Rule& rule) {
    const uint64_t before = tx_.counters(in_port).rx_bytes.get();
    const size_t n = packets.size();
    packets = packets.first(parse_rows(plan, in_port, packets));
    const uint64_t bytes = tx_.counters(in_port).rx_bytes.get() - before;
    for (const TallyId tally : {rule.tally, pipeline.looked_up[0], pipeline.matched[0]})
        tallies_.at(tally).add(n, bytes, second_);
    if (packets.empty()) return;
    decide(plan, in_port);
    act(plan, in_port, packets, rows_.row, std::span(rows_.outer).first(rows_.n),
        std::span(rows_.verdicts).first(rows_.n), tx_);
}

// Fills rows; drops what is no frame. Returns how many packets are left, moved together.
unsigned Worker::parse_rows(const Plan& plan, PortNo in_port, std::span<rte_mbuf*> packets) {
    const PortView& in = plan.ports[in_port];
    const Fdb& fdb = *plan.bridges[in.bridge].fdb;
    const bool cached = !cache_.resting();
    PortCounters& counters = tx_.counters(in_port);
    unsigned kept = 0, rows = 0;
    uint64_t bytes = 0;
    const uint8_t* previous = nullptr;
    for (rte_mbuf* packet : packets) {
        bytes += packet->pkt_len;
        const auto* head = rte_pktmbuf_mtod(packet, const uint8_t*);
        const uint32_t length = packet->data_len;
        if (length < kL2Most) [[unlikely]] {
            // Drivers fill the first segment before the next: a short one is a peer that plays tricks.
            const bool cut = length >= kEtherHeader && is_vlan_tpid(turnout::load<Be16>(head + kTagOffset));
            if (length < kEtherHeader || length < packet->pkt_len || cut) {
                tx_.drop(in_port, Drop::Runt, packet);
                continue;
            }
        }
        if (!previous || length < kL2Most || !same_l2(previous, head)) {
            const bool tagged = is_vlan_tpid(turnout::load<Be16>(head + kTagOffset)) && length >= kL2Most;
            const auto vid = tagged
                                 ? static_cast<uint16_t>(turnout::load<Be16>(head + kTagOffset + 2).host() & kVidMask)
                                 : uint16_t{0};
            rows_.outer[rows] = {tagged, vid};
            L2Lookup& lookup = rows_.lookups[rows++];
            prepare(fdb, in.vlans, head, vid, lookup);
            if (cached)
                cache_.prefetch(FlowCache::hash(lookup.dst_hash, lookup.src_hash, in_port));
            else
                prefetch(fdb, lookup);
        }
        previous = length < kL2Most ? nullptr : head;
        rows_.row[kept] = static_cast<uint8_t>(rows - 1);
        packets[kept++] = packet;
    }
    rows_.n = rows;
    counters.rx_packets.add(packets.size());
    counters.rx_bytes.add(bytes);
    return kept;
}

// A verdict for each row: from the cache, or else from the classifier.
void Worker::decide(const Plan& plan, PortNo in_port) {
    Fdb& fdb = *plan.bridges[plan.ports[in_port].bridge].fdb;
    const std::span<const L2Lookup> lookups(rows_.lookups.data(), rows_.n);
    if (cache_.resting()) {
        normal(fdb, in_port, second_, lookups, rows_.verdicts);
        cache_.note(rows_.n, 0);
        return;
    }

    struct Missed {
        std::array<uint8_t, kBurst> row;
        std::array<L2Lookup, kBurst> lookups;
        std::array<Verdict, kBurst> verdicts;
        unsigned n = 0;
    } missed;
    const uint64_t stamp = FlowCache::stamp(second_, fdb.generation(), plan.epoch);
    const auto entry = [&](unsigned row) {
        const L2Lookup& l = lookups[row];
        return std::pair(FlowCache::key(l.dst, l.src, rows_.outer[row].vid, in_port),
                         FlowCache::hash(l.dst_hash, l.src_hash, in_port));
    };
    for (unsigned row = 0; row < rows_.n; row++) {
        const auto [key, hash] = entry(row);
        if (cache_.find(key, hash, stamp, rows_.verdicts[row])) continue;
        prefetch(fdb, lookups[row]);
        missed.lookups[missed.n] = lookups[row];
        missed.row[missed.n++] = static_cast<uint8_t>(row);
    }
    cache_.note(rows_.n, rows_.n - missed.n);
    normal(fdb, in_port, second_, std::span(missed.lookups).first(missed.n), missed.verdicts);
    for (unsigned i = 0; i < missed.n; i++) {
        const Verdict verdict = rows_.verdicts[missed.row[i]] = missed.verdicts[i];
        if (!verdict.is_output()) continue;
        const auto [key, hash] = entry(missed.row[i]);
        cache_.insert(key, hash, stamp, verdict);
    }
}

}  // namespace turnout
