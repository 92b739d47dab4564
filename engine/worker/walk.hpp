// SPDX-License-Identifier: Apache-2.0
// Walk: a burst's way through a bridge's flow tables.
//
// In:  a burst from one port, or a controller's packet-out. Out: packets in Tx, packet-ins and requests in the mailbox.
// Runs on a worker, of which each has its own.
//
// The burst is parsed as deep as the rules read, then taken table by table: all packets that wait for the lowest table
// are looked up together, and their rules' instructions carried out. Packets that end in the same port, one after the
// other, leave together. A rule that does nothing but output costs no call per packet. Where a cache is the cheaper
// way, packets of a kind that came before are not looked up again; if all that their rules do is forward, not even
// parsed.
#pragma once

#include <array>
#include <span>

#include "engine/act/execute.hpp"
#include "engine/cache/walk_cache.hpp"

namespace turnout {

class Walk {
public:
    Walk(Tx& tx, Tallies& tallies, Mailbox& mailbox, WalkCache::Policy policy = WalkCache::Policy::Measured);

    // Takes the packets, counts them as received. `second`: since the datapath's start.
    void forward(const Plan& plan, PortNo in_port, std::span<rte_mbuf*> packets, const of::Pipeline& pipeline,
                 uint32_t second);
    // Carries out what control sent to the mailbox, a burst at the most; returns how many there were. The caller sees
    // to patch ports and flushes Tx, as after a burst.
    unsigned packet_outs(const Plan& plan, uint32_t second);

private:
    unsigned parse(const Plan& plan, PortNo in_port, std::span<rte_mbuf*> packets, const of::Pipeline& pipeline,
                   const of::Reads& reads);
    void start(uint8_t packet);
    std::span<rte_mbuf*> follow(const Plan& plan, PortNo in_port, std::span<rte_mbuf*> packets,
                                const of::Pipeline& pipeline);
    void visit(std::span<const WalkCache::Count> counts, uint32_t length);
    void walk(const Plan& plan, PortNo in_port, std::span<rte_mbuf*> packets, const of::Pipeline& pipeline,
              const of::Reads& reads);
    WalkCache::End end_of(const Trail& trail, uint32_t in_port);
    bool forward_together(const Plan& plan, PortNo in_port, std::span<rte_mbuf*> packets, const of::Pipeline& pipeline);
    unsigned first_table(const Plan& plan, const of::Pipeline& pipeline, uint32_t in_port, unsigned n);
    void table(const of::Pipeline& pipeline, unsigned table, std::span<const uint8_t> waiting);
    void carry_out(const of::Pipeline& pipeline, unsigned table, std::span<const uint8_t> packets,
                   std::span<const Rule* const> rules);
    void find(const Classifier& classifier, unsigned table, std::span<const uint8_t> packets,
              std::span<const Rule*> rules);
    void look_up(const Classifier& classifier, unsigned table, std::span<const uint8_t> packets,
                 std::span<const Rule*> rules);
    unsigned one(uint8_t packet, const Rule& rule);
    void leave(const Plan& plan, std::span<const uint8_t> packets);
    void packet_out(const Plan& plan, Outgoing& outgoing, uint32_t second);

    // What a program does to packets from the burst's port, if that is the same for all of them.
    struct Way {
        const of::Program* program = nullptr;
        bool plain = false;  // nothing but this: out by a port, or dropped
        PortNo to = kNoPort;
        Drop why = Drop::ByRule;
    };
    const Way& way(const of::Program& program, uint32_t in_port) {
        Way& way = ways_[reinterpret_cast<uintptr_t>(&program) / alignof(std::max_align_t) % ways_.size()];
        if (way.program != &program) [[unlikely]]
            work_out(way, program, in_port);
        return way;
    }
    void work_out(Way& way, const of::Program& program, uint32_t in_port);

    Tx& tx_;
    Tallies& tallies_;
    Mailbox& mailbox_;
    Execute execute_;
    std::array<Way, 8> ways_;  // of this burst, by program
    Version version_ = 0;
    uint32_t second_ = 0;
    std::array<Packet, kBurst> packets_;
    std::array<uint8_t, kBurst> next_;    // table of each packet; kDone: none
    std::array<uint8_t, kBurst> others_;  // packets that the first table's short way did not take
    std::array<ActionSet, kBurst> sets_;
    WalkCache cache_;
    bool cached_ = false;  // this burst
    std::array<WalkCache::Kind, kBurst> kinds_;
    std::array<Trail, kBurst> trails_;
    struct Visits {
        uint32_t packets = 0, bytes = 0;
    };
    std::array<Visits, of::kTables> visits_;  // of tables after the first, by packets that follow() forwards
    std::array<uint8_t, of::kTables> visited_;
    unsigned visited_n_ = 0;
};

}  // namespace turnout
