// SPDX-License-Identifier: Apache-2.0
// Instructions and actions, carried out on one packet at a time (OpenFlow 1.3.5, 5.9 to 5.12; Nicira's by
// ovs-actions(7)).
//
// In:  a packet and the rule that it matched. Out: the packet's bytes and key changed, copies of it in Tx, packet-ins
// in the mailbox, and in Packet::out where the mbuf itself goes: an output waits there until something else touches the
// bytes, so that the last one needs no copy. settle() ends a packet's way.
// Runs on a worker, of which each has its own. Recursion (resubmit, clone, group) is bounded by kMostDeep, and all that
// a packet can set off by kMostTables lookups.
#pragma once

#include <array>
#include <span>
#include <utility>

#include "engine/act/bits.hpp"
#include "engine/act/packet.hpp"
#include "engine/act/trail.hpp"
#include "engine/openflow/flow.hpp"
#include "engine/openflow/pipeline.hpp"
#include "engine/tx/tx.hpp"
#include "engine/worker/mailbox.hpp"

namespace turnout {

class Execute {
public:
    static constexpr unsigned kDone = of::kAllTables;  // no next table

    Execute(Tx& tx, Tallies& tallies, Mailbox& mailbox);

    // What holds for all packets until the next call. `in_port`: kNoPort if they come from a controller.
    void begin(const Plan& plan, BridgeNo bridge, PortNo in_port, const of::Pipeline& pipeline, Version version,
               uint32_t second);
    // What holds for the next packet alone.
    void next_packet(Trail* trail = nullptr) {
        trail_ = trail;
        tables_left_ = kMostTables;
        stack_n_ = 0;
        holds_ = true;
    }

    // A rule's instructions; its tally is the caller's business. Returns the table that the packet goes to next.
    unsigned instructions(Packet& packet, const Rule& rule);
    // The packet through `next` and the tables after it, alone.
    void tables(Packet& packet, unsigned next);
    // What a table does with a packet that no rule matches.
    void miss(Packet& packet, uint8_t table);
    // Actions of a packet-out.
    void actions(Packet& packet, const of::Actions& actions);
    // The last table is behind the packet: its action set.
    void action_set(Packet& packet);
    // The mbuf goes where the last output said: counts the drop if nowhere, else the caller sends it (Packet::out).
    bool settle(Packet& packet);
    // Copies that left since next_packet() leave now, or not at all where the packet's walk was cut off: a loop of
    // resubmits multiplies nothing.
    void settle_copies(const Packet& packet);
    // A packet to a port that is good to go, or to NORMAL.
    void send(rte_mbuf* packet, PortNo to);
    // The port for the way that many packets go, as output() would find it; reason set if it is kNowhere.
    PortNo plain_port(uint32_t of_port, uint32_t of_in_port, Drop& why) const;

    // The key good for the bridge's rules; false: the packet is dropped.
    bool need_for_lookup(Packet& packet) {
        return need(packet, lookup_depth_) || dead(packet, Drop::NoMbuf) == Step::Go;
    }
    // The key to look up: with get-frags "normal" a first fragment's ports are not seen, as those of later ones.
    const FlowKey* lookup_key(const Packet& packet, FlowKey& spare) const {
        if (!hides_ports_ || lookup_depth_ != Depth::L4 || packet.key.net.frag == 0) [[likely]]
            return &packet.key;
        spare = packet.key;
        spare.tp.src = spare.tp.dst = {};
        return &spare;
    }
    bool must_continue() const { return stack_n_ > 0; }  // the packet can't wait for others

    // Where drops of the bridge's packets are counted.
    PortNo blamed() const { return blamed_; }

private:
    static constexpr unsigned kMostDeep = 64, kMostTables = 4096, kStack = 64;

    // Key and layers good for `depth`, the bytes as the key says wherever that takes parsing.
    bool need(Packet& packet, Depth depth);

    enum class Step : uint8_t {
        Go,
        End,   // of this list of actions
        Exit,  // of all lists; the action set is carried out yet
        Dead   // the packet goes nowhere any more
    };
    // Whose actions these are.
    struct Context {
        const Rule* rule;  // null: a packet-out's
        uint8_t table;
        Reason reason;  // of plain outputs to the controller
        unsigned depth;
        bool last;  // nothing follows these actions: they may use up the packet
    };

    Step run(Packet&, const of::Actions&, const Context&);
    Step one(Packet&, const of::Action&, const Context&);
    template <typename Kind>
    Step act_on(Packet&, const Kind&, const Context&);
    Step instructions(Packet&, const Rule&, const Context&, unsigned& next);

    // execute_flow.cpp: tables, clones, groups, meters
    const Rule* find(Packet&, unsigned table, Be32 in_port);
    Step walk(Packet&, unsigned table, Be32 in_port, const Context&);
    Step resubmit(Packet&, const of::Resubmit&, const Context&);
    Step clone(Packet&, const of::Actions&, const Context&);
    template <typename Do>
    Step apart(Packet&, bool in_place, const Context&, const Do& act);
    Step group(Packet&, uint32_t id, const Context&);
    Step bucket(Packet&, const of::Group&, const of::Bucket&, const Context&);
    Step meter(Packet&, uint32_t id);
    const of::Bucket* choose(Packet&, const of::Group&);
    bool alive(const of::Bucket& bucket, unsigned depth = 0) const;
    bool alive(uint32_t of_port) const;
    const of::Group* find_group(uint32_t id) const;
    void count(TallyId tally, const Packet& packet);

    // execute_output.cpp
    Step output(Packet&, uint32_t port, uint16_t max_len, const Context&);
    Step output_to(Packet&, PortNo port);
    Step output_many(Packet&, bool flood);
    Step output_cut(Packet&, const of::OutputTrunc&, const Context&);
    Step to_controller(Packet&, const of::Controller&, const Context&);
    void packet_in(Packet&, Reason, uint16_t controller, uint16_t max_len,
                   const std::shared_ptr<const std::vector<uint8_t>>* userdata, const Context&);
    void normal(rte_mbuf* packet);
    static uint32_t widened(Wide port);
    uint32_t bundle_port(Packet&, const of::BundleSpec&);

    // execute_fields.cpp
    Step set_field(Packet&, const of::SetField&);
    bool get(Packet&, const of::Bits&, Wide& value);
    Step put(Packet&, const of::Bits&, Wide value);
    Step set_tci(Packet&, Be16 tci);
    Step set_mpls_ttl(Packet&, uint8_t ttl);
    Step decrement_ttl(Packet&, const of::DecTtl&, const Context&);
    Step decrement_mpls_ttl(Packet&, const Context&);
    Step learn(Packet&, const of::LearnAction&, const Context&);
    Step fin_timeout(Packet&, const of::FinTimeout&, const Context&);

    // Before the bytes change: an output that waits for them gets a copy.
    void release(Packet& packet) {
        if (packet.out != Packet::kNowhere) send_copy(packet);
    }
    void send_copy(Packet& packet);
    bool write(Packet& packet);  // the key's changes
    bool open(Packet& packet);   // for an action that edits headers
    Step edit(Packet& packet, bool done) { return done ? Step::Go : dead(packet, Drop::NoMbuf); }
    Step dead(Packet& packet, Drop why) {
        packet.why = why;
        return Step::Dead;
    }

    Tx& tx_;
    Tallies& tallies_;
    Mailbox& mailbox_;
    const Plan* plan_ = nullptr;
    const BridgeView* bridge_ = nullptr;
    const of::Pipeline* pipeline_ = nullptr;
    const of::Groups* groups_ = nullptr;
    const of::Meters* meters_ = nullptr;
    Version version_ = 0;
    uint32_t second_ = 0;
    BridgeNo bridge_no_ = 0;
    PortNo in_port_ = kNoPort, blamed_ = 0;
    bool from_controller_ = false;  // a packet-out
    bool holds_ = false;            // copies wait in held_
    unsigned held_n_ = 0;
    std::array<std::pair<rte_mbuf*, PortNo>, 128> held_;
    Depth lookup_depth_ = Depth::L2;
    bool hides_ports_ = false;
    Trail* trail_ = nullptr;  // of the packet under way
    unsigned tables_left_ = 0;
    unsigned stack_n_ = 0;
    std::array<Wide, kStack> stack_;

    // Learn requests of this second: a flow's packets ask for the same again and again.
    struct Asked {
        uint64_t what = 0;
        uint32_t second = 0;
    };
    static constexpr size_t kAsked = 1024;
    std::array<Asked, kAsked> asked_{};
};

}  // namespace turnout
