// SPDX-License-Identifier: Apache-2.0
// A worker: a thread on a core of its own that takes packets from its rx queues through all stages, to completion.
//
//   rx -> parse -> cache -> classify -> act -> tx, and around again for packets that left by a patch port
//
// A bridge whose one rule is NORMAL takes the short way, here: only Ethernet headers are parsed, and packets with the
// same one decided together. All others take the walk (walk.hpp).
//
// It never waits for anybody: it reads the plan through one pointer, reports a quiescent state once a round
// (rte_rcu_qsbr), and writes counters of its own. With nothing to do it spins for a while, then sleeps (idle.cpp) until
// a guest, the kernel or control wakes it.
#pragma once

#include <rte_rcu_qsbr.h>

#include <atomic>
#include <memory>
#include <thread>

#include "engine/act/act.hpp"
#include "engine/cache/flow_cache.hpp"
#include "engine/classify/normal.hpp"
#include "engine/rx/rx.hpp"
#include "engine/tx/tx.hpp"
#include "engine/worker/plan.hpp"
#include "engine/worker/walk.hpp"

namespace turnout {

// What control shares with all workers.
struct Shared {
    std::atomic<const Plan*> plan{nullptr};
    std::atomic<bool> stop{false};
    rte_rcu_qsbr* qsbr = nullptr;
    int64_t spin_us = 0;  // before sleeping; -1: never sleep
    uint64_t start_tsc = 0;

    uint32_t second() const;  // since the start: the clock of the forwarding databases
};

class Worker {
public:
    // `events_fd`: an eventfd that tells control that the mailbox has something for it.
    Worker(unsigned index, unsigned core, const Shared& shared, int events_fd);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    void wake() const;
    // Returns when a sleep that began before the call is over: until then the kernel has the descriptors open that the
    // worker sleeps on, whatever others close.
    void finish_sleep() const;
    void join();  // Shared::stop is set by then
    unsigned core() const { return core_; }
    const PortCounters& counters(PortNo port) const { return tx_.counters(port); }
    Tallies& tallies() { return tallies_; }
    Mailbox& mailbox() { return mailbox_; }

    struct Load {
        Counter packets, busy_cycles, sleeps;
    };
    const Load& load() const { return load_; }

private:
    // What the stages of one burst hand to each other. Packets that follow each other with the same L2 header share a
    // row.
    struct Rows {
        std::array<uint8_t, kBurst> row;  // of each packet
        std::array<Tagged, kBurst> outer;
        std::array<L2Lookup, kBurst> lookups;
        std::array<Verdict, kBurst> verdicts;
        unsigned n = 0;
    };

    void run();
    unsigned poll(const Plan& plan);
    void forward(const Plan& plan, PortNo in_port, std::span<rte_mbuf*> packets);
    void switch_normally(const Plan& plan, PortNo in_port, std::span<rte_mbuf*> packets, const of::Pipeline& pipeline,
                         const Rule& rule);
    void send(const Plan& plan);
    unsigned parse_rows(const Plan& plan, PortNo in_port, std::span<rte_mbuf*> packets);
    void decide(const Plan& plan, PortNo in_port);
    void sleep(const Plan& plan);
    void tick();

    const unsigned index_, core_;
    const Shared& shared_;
    Tx tx_;
    Tallies tallies_;
    Mailbox mailbox_;
    Walk walk_;
    FlowCache cache_;
    Rows rows_;
    Load load_;
    uint32_t second_ = 0;
    uint64_t now_ = 0, next_second_ = 0;   // TSC
    unsigned naps_ = 0;                    // timed sleeps in a row that brought nothing
    std::atomic<uint32_t> sleep_turn_{0};  // odd: asleep
    int wake_fd_;
    std::thread thread_;
};

}  // namespace turnout
