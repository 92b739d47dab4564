// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/walk.hpp"

#include <rte_cycles.h>

#include <algorithm>

namespace turnout {
namespace {

constexpr uint8_t kDone = Execute::kDone;

// The port of a rule that does nothing but output there; 0 if it does anything else.
uint32_t only_output(const of::Program& program) {
    if (program.apply.size() != 1 || program.meter != 0 || program.has_goto || program.has_write || program.clear)
        return 0;
    const auto* output = std::get_if<of::Output>(&program.apply[0].is);
    return output && (output->port < of::kPortMax || output->port == of::kPortLocal) ? output->port : 0;
}

}  // namespace

Walk::Walk(Tx& tx, Tallies& tallies, Mailbox& mailbox, WalkCache::Policy policy)
    : tx_(tx), tallies_(tallies), mailbox_(mailbox), execute_(tx, tallies, mailbox), cache_(policy) {
    for (Packet& packet : packets_) packet.registers = true;  // not cleared yet
}

void Walk::forward(const Plan& plan, PortNo in_port, std::span<rte_mbuf*> packets, const of::Pipeline& pipeline,
                   uint32_t second) {
    // The version first: what it made visible needs nothing that was published after it.
    version_ = pipeline.version.load(std::memory_order_acquire);
    second_ = second;
    const of::Reads& reads = *pipeline.reads.load(std::memory_order_acquire);
    execute_.begin(plan, plan.ports[in_port].bridge, in_port, pipeline, version_, second);
    const unsigned n = parse(plan, in_port, packets, pipeline, reads);
    cycles_ = 0;
    cached_ = cache_.use() && cache_.begin(reads.mask, &pipeline, version_, plan.epoch);
    if (cached_) ask_cache(n);

    for (unsigned at = n ? 0 : kDone; at != kDone;) {
        std::array<uint8_t, kBurst> waiting;
        unsigned waiting_n = 0, following = kDone;
        for (unsigned i = 0; i < n; i++)
            if (next_[i] == at) waiting[waiting_n++] = static_cast<uint8_t>(i);
        table(pipeline, at, std::span(waiting).first(waiting_n));
        for (unsigned i = 0; i < n; i++)
            if (next_[i] > at) following = std::min<unsigned>(following, next_[i]);
        at = following;
    }
    if (cached_) {
        const uint64_t before = rte_rdtsc();
        for (unsigned i = 0; i < n; i++)
            if (trails_[i].written()) cache_.insert(kinds_[i], trails_[i]);
        cycles_ += rte_rdtsc() - before;
    }
    cache_.note(n, cycles_);
    leave(plan, n);
}

// Packets of a known kind get a trail to follow, others one to write.
void Walk::ask_cache(unsigned n) {
    const uint64_t before = rte_rdtsc();
    for (unsigned i = 0; i < n; i++) {
        FlowKey spare;
        cache_.pack(*execute_.lookup_key(packets_[i], spare), kinds_[i]);
        cache_.prefetch(kinds_[i]);
    }
    for (unsigned i = 0; i < n; i++)
        if (!cache_.find(kinds_[i], trails_[i])) trails_[i].write();
    cycles_ += rte_rdtsc() - before;
}

void Walk::start(Packet& packet, ActionSet& set, rte_mbuf* mbuf) {
    packet.mbuf = mbuf;
    packet.changed = 0;
    packet.stale = packet.opaque = packet.sent = false;
    packet.out = Packet::kNowhere;
    packet.why = Drop::ByRule;
    packet.queue = 0;
    packet.rule = nullptr;
    if (!set.empty()) set.clear();
    packet.set = &set;
    if (packet.registers) {
        packet.key.tunnel = {};
        std::fill(std::begin(packet.key.reg), std::end(packet.key.reg), Be32{});
        packet.registers = false;
    }
}

// Fills packets_ and next_; drops what goes no further. Returns how many there are.
unsigned Walk::parse(const Plan& plan, PortNo in_port, std::span<rte_mbuf*> packets, const of::Pipeline& pipeline,
                     const of::Reads& reads) {
    const PortView& in = plan.ports[in_port];
    const Be32 of_port = Be32::of(in.ofport);
    const bool deaf = in.config & (kPortDown | kNoRecv);
    const of::Frag frag = pipeline.frag.load(std::memory_order_relaxed);
    const Depth depth = frag == of::Frag::Drop ? std::max(reads.depth, Depth::L3) : reads.depth;
    PortCounters& counters = tx_.counters(in_port);
    unsigned n = 0;
    uint64_t bytes = 0;
    for (rte_mbuf* mbuf : packets) {
        bytes += mbuf->pkt_len;
        if (mbuf->pkt_len < kEtherHeader || deaf) [[unlikely]] {
            tx_.drop(in_port, deaf ? Drop::PortNoRecv : Drop::Runt, mbuf);
            continue;
        }
        Packet& packet = packets_[n];
        start(packet, sets_[n], mbuf);
        std::array<uint8_t, kHead> spare;
        turnout::parse(head_of(mbuf, spare), mbuf->pkt_len, depth, packet.key, packet.layers);
        packet.depth = depth;
        packet.key.arrival = {of_port, of_port, {}};
        if (frag == of::Frag::Drop && packet.key.net.frag != 0) [[unlikely]] {
            tx_.drop(in_port, Drop::Fragment, mbuf);
            continue;
        }
        next_[n++] = 0;
    }
    counters.rx_packets.add(packets.size());
    counters.rx_bytes.add(bytes);
    return n;
}

// The rules of these packets in a table.
void Walk::find(const Classifier& classifier, unsigned table, std::span<const uint8_t> packets,
                std::span<const Rule*> rules) {
    std::array<const FlowKey*, kBurst> keys;
    std::array<FlowKey, kBurst> spare;  // hardly ever used
    std::array<uint8_t, kBurst> place;
    std::array<const Rule*, kBurst> found;
    unsigned n = 0;
    for (unsigned i = 0; i < packets.size(); i++) {
        if (cached_ && trails_[packets[i]].next(table, rules[i])) continue;
        keys[n] = execute_.lookup_key(packets_[packets[i]], spare[n]);
        place[n++] = static_cast<uint8_t>(i);
    }
    if (n == 0) return;
    const bool all = n == packets.size();
    const std::span<const Rule*> into = all ? rules.first(n) : std::span(found).first(n);
    classifier.lookup(std::span(keys).first(n), version_, into);
    for (unsigned i = 0; !all && i < n; i++) rules[place[i]] = found[i];
    for (unsigned i = 0; cached_ && i < n; i++) {
        Trail& trail = trails_[packets[place[i]]];
        if (packets_[packets[place[i]]].opaque) trail.close();
        trail.found(table, into[i]);
    }
}

// The packets that wait for `table`: their rules found and carried out. Sets next_ of each.
void Walk::table(const of::Pipeline& pipeline, unsigned table, std::span<const uint8_t> waiting) {
    std::array<const Rule*, kBurst> rules;
    std::array<uint8_t, kBurst> ready;
    unsigned n = 0;
    uint64_t bytes = 0, matched = 0, matched_bytes = 0;
    for (const uint8_t i : waiting) {
        Packet& packet = packets_[i];
        next_[i] = kDone;
        if (table != 0 && !execute_.need_for_lookup(packet)) continue;
        ready[n++] = i;
        bytes += packet.mbuf->pkt_len;
    }
    if (n == 0) return;
    const uint64_t before = cache_.timed() ? rte_rdtsc() : 0;
    find(*pipeline.tables[table], table, std::span(ready).first(n), std::span(rules).first(n));
    if (before) cycles_ += rte_rdtsc() - before;
    for (unsigned i = 0; i < n; i++)
        if (rules[i]) tallies_.prefetch(rules[i]->tally);

    for (unsigned i = 0; i < n;) {
        unsigned end = i + 1;
        while (end < n && rules[end] == rules[i]) end++;
        const auto same = std::span<const uint8_t>(ready).subspan(i, end - i);
        if (const Rule* found = rules[i]) {
            uint64_t octets = 0;
            for (const uint8_t p : same) octets += packets_[p].mbuf->pkt_len;
            tallies_.at(found->tally).add(same.size(), octets, second_);
            matched += same.size();
            matched_bytes += octets;
            rule(*found, same);
        } else {
            for (const uint8_t p : same) execute_.miss(packets_[p], static_cast<uint8_t>(table));
        }
        i = end;
    }
    tallies_.at(pipeline.looked_up[table]).add(n, bytes, second_);
    if (matched) tallies_.at(pipeline.matched[table]).add(matched, matched_bytes, second_);
}

// A run of packets that found the same rule.
void Walk::rule(const Rule& rule, std::span<const uint8_t> run) {
    if (const uint32_t port = only_output(*rule.program); port != 0) {
        Drop why = Drop::ByRule;
        const Be32 in_port = packets_[run[0]].key.arrival.in_port;
        const PortNo to = execute_.plain_port(port, in_port.host(), why);
        const bool plain = std::ranges::all_of(run, [&](uint8_t i) {
            const Packet& packet = packets_[i];
            return packet.key.arrival.in_port == in_port && packet.out == Packet::kNowhere && !packet.changed &&
                   packet.set->empty();
        });
        if (plain) {
            for (const uint8_t i : run) {
                packets_[i].out = to;
                packets_[i].why = why;
            }
            return;
        }
    }
    for (const uint8_t i : run) next_[i] = static_cast<uint8_t>(one(i, rule));
}

// A packet's rule carried out; the table that it waits for then.
unsigned Walk::one(uint8_t i, const Rule& rule) {
    Packet& packet = packets_[i];
    execute_.next_packet(cached_ ? &trails_[i] : nullptr);
    unsigned next = execute_.instructions(packet, rule);
    if (next != kDone && execute_.must_continue()) {
        execute_.tables(packet, next);
        next = kDone;
    }
    if (next == kDone) execute_.action_set(packet);
    return next;
}

void Walk::leave(const Plan& plan, unsigned n) {
    std::array<rte_mbuf*, kBurst> together;
    unsigned gathered = 0;
    PortNo to = kNoPort;
    const auto push = [&] {
        if (gathered) tx_.push(plan, to, std::span(together).first(gathered));
        gathered = 0;
    };
    for (unsigned i = 0; i < n; i++) {
        Packet& packet = packets_[i];
        if (packet.out != to) push();
        if (!execute_.settle(packet)) continue;
        if (packet.out == Packet::kNormal) {
            execute_.send(packet.mbuf, packet.out);
            continue;
        }
        to = packet.out;
        together[gathered++] = packet.mbuf;
    }
    push();
}

unsigned Walk::packet_outs(const Plan& plan, uint32_t second) {
    unsigned n = 0;
    for (Outgoing* outgoing; n < kBurst && (outgoing = mailbox_.next()); n++) {
        packet_out(plan, *outgoing, second);
        outgoing->packet = nullptr;
        mailbox_.done(outgoing);
    }
    return n;
}

void Walk::packet_out(const Plan& plan, Outgoing& outgoing, uint32_t second) {
    const BridgeView& bridge = plan.bridges[outgoing.bridge];
    if (!bridge.pipeline || outgoing.packet->pkt_len < kEtherHeader) {
        rte_pktmbuf_free(outgoing.packet);
        return;
    }
    const of::Pipeline& pipeline = *bridge.pipeline;
    version_ = pipeline.version.load(std::memory_order_acquire);
    execute_.begin(plan, outgoing.bridge, bridge.port_of(outgoing.in_port), pipeline, version_, second);
    execute_.next_packet();
    Packet& packet = packets_[0];
    start(packet, sets_[0], outgoing.packet);
    packet.key.tunnel = outgoing.pipeline.tunnel;
    std::copy(std::begin(outgoing.pipeline.reg), std::end(outgoing.pipeline.reg), packet.key.reg);
    packet.registers = true;
    const Be32 in_port = Be32::of(outgoing.in_port);
    packet.key.arrival = {in_port, in_port, outgoing.pipeline.arrival.metadata};
    parse_again(packet, Depth::L4);
    execute_.actions(packet, outgoing.actions);
    execute_.action_set(packet);
    leave(plan, 1);
}

}  // namespace turnout
