// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/walk.hpp"

#include <rte_cycles.h>

#include <algorithm>

#include "engine/parse/usual.hpp"

namespace turnout {
namespace {

constexpr uint8_t kDone = Execute::kDone;
constexpr uint32_t kDeaf = kPortDown | kNoRecv;

void clear_registers(Packet& packet) {
    packet.key.tunnel = {};
    std::fill(std::begin(packet.key.reg), std::end(packet.key.reg), Be32{});
    packet.registers = false;
}

// Whether the program does nothing but send the packet to another table.
bool only_goes_on(const of::Program& program) {
    return program.has_goto && program.apply.empty() && program.meter == 0 && !program.has_write && !program.clear &&
           !program.has_metadata;
}

// Whether the program does nothing but output to a port (`port`), or nothing at all (0).
bool is_plain(const of::Program& program, uint32_t& port) {
    if (program.apply.size() > 1 || program.meter != 0 || program.has_goto || program.has_write || program.clear)
        return false;
    port = 0;
    if (program.apply.empty()) return !program.has_metadata;
    const auto* output = std::get_if<of::Output>(&program.apply[0].is);
    if (!output || (output->port >= of::kPortMax && output->port != of::kPortLocal)) return false;
    port = output->port;
    return true;
}

// Packets that leave by the same port, one after the other.
class Together {
public:
    Together(Tx& tx, const Plan& plan) : tx_(tx), plan_(plan) {}
    void add(PortNo to, rte_mbuf* mbuf) {
        if (to != to_) push();
        to_ = to;
        packets_[n_++] = mbuf;
    }
    void push() {
        if (n_) tx_.push(plan_, to_, std::span(packets_).first(n_));
        n_ = 0;
    }

private:
    Tx& tx_;
    const Plan& plan_;
    PortNo to_ = kNoPort;
    unsigned n_ = 0;
    std::array<rte_mbuf*, kBurst> packets_;
};

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
    for (Way& way : ways_) way.program = nullptr;
    if (reads.port_only && forward_together(plan, in_port, packets, pipeline)) return;

    const uint64_t before = cache_.timed() ? rte_rdtsc() : 0;
    const size_t all = packets.size();
    cached_ = cache_.use() && !(plan.ports[in_port].config & kDeaf);
    if (cached_) {
        cache_.begin(reads.mask, pipeline.changes, version_, plan.epoch, in_port);
        packets = follow(plan, in_port, packets, pipeline);
    }
    if (!packets.empty()) walk(plan, in_port, packets, pipeline, reads);
    cache_.note(static_cast<unsigned>(all), before ? rte_rdtsc() - before : 0);
}

// The packets through the tables.
void Walk::walk(const Plan& plan, PortNo in_port, std::span<rte_mbuf*> packets, const of::Pipeline& pipeline,
                const of::Reads& reads) {
    const unsigned n = parse(plan, in_port, packets, pipeline, reads);
    if (n == 0) return;
    const uint32_t of_port = plan.ports[in_port].ofport;
    const auto others = std::span<const uint8_t>(others_).first(first_table(plan, pipeline, of_port, n));
    for (unsigned at = 0;;) {
        unsigned following = kDone;
        for (const uint8_t i : others)
            if (next_[i] > at) following = std::min<unsigned>(following, next_[i]);
        if (following == kDone) break;
        at = following;
        std::array<uint8_t, kBurst> waiting;
        unsigned waiting_n = 0;
        for (const uint8_t i : others)
            if (next_[i] == at) waiting[waiting_n++] = i;
        table(pipeline, at, std::span(waiting).first(waiting_n));
    }
    for (unsigned i = 0; cached_ && i < n; i++)
        if (trails_[i].written()) cache_.insert(kinds_[i], trails_[i], end_of(trails_[i], of_port));
    leave(plan, others);
}

void Walk::work_out(Way& way, const of::Program& program, uint32_t in_port) {
    uint32_t port = 0;
    way = {&program, is_plain(program, port), kNoPort, Drop::ByRule};
    if (way.plain && port) way.to = execute_.plain_port(port, in_port, way.why);
}

// The burst of a port to whose packets no rule looks closer; false: its rule does more than output or drop.
bool Walk::forward_together(const Plan& plan, PortNo in_port, std::span<rte_mbuf*> packets,
                            const of::Pipeline& pipeline) {
    const PortView& in = plan.ports[in_port];
    if (in.config || pipeline.frag.load(std::memory_order_relaxed) == of::Frag::Drop) return false;
    FlowKey key{};
    key.arrival = {Be32::of(in.ofport), Be32::of(in.ofport), {}};
    const FlowKey* const keys = &key;
    const Rule* rule = nullptr;
    pipeline.tables[0]->lookup({&keys, 1}, version_, {&rule, 1});
    if (!rule) return false;
    const Way& way = this->way(*rule->program, in.ofport);
    uint64_t bytes = 0;
    bool runts = false;
    for (const rte_mbuf* mbuf : packets) {
        bytes += mbuf->pkt_len;
        runts |= mbuf->pkt_len < kEtherHeader;
    }
    if (!way.plain || (runts && way.to != kNoPort)) return false;
    tx_.counters(in_port).rx_packets.add(packets.size());
    tx_.counters(in_port).rx_bytes.add(bytes);
    for (const TallyId tally : {rule->tally, pipeline.looked_up[0], pipeline.matched[0]})
        tallies_.at(tally).add(packets.size(), bytes, second_);
    if (way.to != kNoPort)
        tx_.push(plan, way.to, packets);
    else
        for (rte_mbuf* mbuf : packets) tx_.drop(execute_.blamed(), way.why, mbuf);
    return true;
}

// Packets whose kind is known to be only forwarded are. The others, moved together, get a trail to follow or to write.
std::span<rte_mbuf*> Walk::follow(const Plan& plan, PortNo in_port, std::span<rte_mbuf*> packets,
                                  const of::Pipeline& pipeline) {
    std::array<const WalkCache::Entry*, kBurst> known;
    std::array<bool, kBurst> usual;
    for (size_t i = 0; i < packets.size(); i++) {
        const std::span<const uint8_t> head(rte_pktmbuf_mtod(packets[i], const uint8_t*), packets[i]->data_len);
        usual[i] = Usual::is(head, packets[i]->pkt_len);
        if (!usual[i]) continue;
        cache_.sort(head.data(), kinds_[i]);
        cache_.prefetch(kinds_[i]);
    }
    for (size_t i = 0; i < packets.size(); i++) {
        known[i] = usual[i] ? cache_.find(kinds_[i]) : nullptr;
        if (!known[i]) continue;
        tallies_.prefetch(known[i]->tally);
        if (known[i]->rules > 1) __builtin_prefetch(cache_.counts(*known[i]));
    }
    Together together(tx_, plan);
    unsigned left = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < packets.size(); i++) {
        rte_mbuf* mbuf = packets[i];
        const WalkCache::Entry* entry = known[i];
        if (entry && entry->end.plain) [[likely]] {
            bytes += mbuf->pkt_len;
            tallies_.at(entry->tally).add(1, mbuf->pkt_len, second_);
            if (entry->rules > 1) visit({cache_.counts(*entry), entry->rules - 1u}, mbuf->pkt_len);
            if (entry->end.to != kNoPort)
                together.add(entry->end.to, mbuf);
            else
                tx_.drop(execute_.blamed(), entry->end.why, mbuf);
            continue;
        }
        Trail& trail = trails_[left];
        if (entry)
            cache_.give(*entry, trail);
        else if (usual[i])
            trail.write();
        else
            trail.give(0);
        kinds_[left] = kinds_[i];
        packets[left++] = mbuf;
    }
    together.push();
    if (const size_t n = packets.size() - left) {
        tx_.counters(in_port).rx_packets.add(n);
        tx_.counters(in_port).rx_bytes.add(bytes);
        tallies_.at(pipeline.looked_up[0]).add(n, bytes, second_);
        tallies_.at(pipeline.matched[0]).add(n, bytes, second_);
    }
    for (unsigned i = 0; i < visited_n_; i++) {
        Visits& visits = visits_[visited_[i]];
        for (const TallyId tally : {pipeline.looked_up[visited_[i]], pipeline.matched[visited_[i]]})
            tallies_.at(tally).add(visits.packets, visits.bytes, second_);
        visits = {};
    }
    visited_n_ = 0;
    return packets.first(left);
}

// A packet counted where its rules after the first are.
void Walk::visit(std::span<const WalkCache::Count> counts, uint32_t length) {
    for (const WalkCache::Count& count : counts) {
        tallies_.at(count.tally).add(1, length, second_);
        Visits& visits = visits_[count.table];
        if (visits.packets++ == 0) visited_[visited_n_++] = static_cast<uint8_t>(count.table);
        visits.bytes += length;
    }
}

// Where packets end that go the trail's way: plain if all its rules but the last only go on, and that one is plain.
WalkCache::End Walk::end_of(const Trail& trail, uint32_t in_port) {
    for (unsigned s = 0; s < trail.size(); s++) {
        const Rule* rule = Trail::rule(trail.steps()[s]);
        if (!rule) break;
        if (only_goes_on(*rule->program)) continue;
        const Way& way = this->way(*rule->program, in_port);
        return {way.to, way.why, way.plain};
    }
    return {kNoPort, Drop::ByRule, false};
}

// What instructions expect of a packet that has been parsed.
void Walk::start(uint8_t i) {
    Packet& packet = packets_[i];
    packet.changed = 0;
    packet.stale = packet.opaque = packet.sent = false;
    packet.out = Packet::kNowhere;
    packet.why = Drop::ByRule;
    packet.queue = 0;
    packet.rule = nullptr;
    packet.set = &sets_[i];
    if (!packet.set->empty()) packet.set->clear();
}

// Fills packets_; drops what goes no further. Returns how many there are.
unsigned Walk::parse(const Plan& plan, PortNo in_port, std::span<rte_mbuf*> packets, const of::Pipeline& pipeline,
                     const of::Reads& reads) {
    const PortView& in = plan.ports[in_port];
    const Be32 of_port = Be32::of(in.ofport);
    const bool deaf = in.config & kDeaf;
    const of::Frag frag = pipeline.frag.load(std::memory_order_relaxed);
    const Depth depth = frag == of::Frag::Drop ? std::max(reads.depth, Depth::L3) : reads.depth;
    PortCounters& counters = tx_.counters(in_port);
    unsigned n = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < packets.size(); i++) {
        rte_mbuf* mbuf = packets[i];
        bytes += mbuf->pkt_len;
        if (mbuf->pkt_len < kEtherHeader || deaf) [[unlikely]] {
            tx_.drop(in_port, deaf ? Drop::PortNoRecv : Drop::Runt, mbuf);
            continue;
        }
        Packet& packet = packets_[n];
        packet.mbuf = mbuf;
        if (packet.registers) [[unlikely]]
            clear_registers(packet);
        std::array<uint8_t, kHead> spare;
        const std::span<const uint8_t> head = head_of(mbuf, spare);
        if (depth > Depth::L2 && Usual::is(head, mbuf->pkt_len)) [[likely]] {
            Usual::parse(head.data(), packet.usual, packet.key, packet.layers);
            packet.usual = true;
        } else {
            turnout::parse(head, mbuf->pkt_len, depth, packet.key, packet.layers);
            packet.usual = false;
        }
        packet.depth = depth;
        packet.key.arrival = {of_port, of_port, {}};
        if (frag == of::Frag::Drop && packet.key.net.frag != 0) [[unlikely]] {
            tx_.drop(in_port, Drop::Fragment, mbuf);
            continue;
        }
        if (cached_ && n != i) [[unlikely]]
            kinds_[n] = kinds_[i], trails_[n] = trails_[i];
        n++;
    }
    counters.rx_packets.add(packets.size());
    counters.rx_bytes.add(bytes);
    return n;
}

// The rules of these packets in a table; their tallies are on their way.
void Walk::find(const Classifier& classifier, unsigned table, std::span<const uint8_t> packets,
                std::span<const Rule*> rules) {
    look_up(classifier, table, packets, rules);
    for (const Rule* rule : rules)
        if (rule) tallies_.prefetch(rule->tally);
}

void Walk::look_up(const Classifier& classifier, unsigned table, std::span<const uint8_t> packets,
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

// All packets in table 0. Those that are on the short way leave; returns how many are not (others_), started, with the
// tables that they wait for in next_.
unsigned Walk::first_table(const Plan& plan, const of::Pipeline& pipeline, uint32_t in_port, unsigned n) {
    static constexpr auto kAll = [] {
        std::array<uint8_t, kBurst> all;
        for (unsigned i = 0; i < kBurst; i++) all[i] = static_cast<uint8_t>(i);
        return all;
    }();
    std::array<const Rule*, kBurst> rules, others_rules;
    find(*pipeline.tables[0], 0, std::span(kAll).first(n), std::span(rules).first(n));

    Together together(tx_, plan);
    unsigned others = 0;
    uint64_t bytes = 0;
    for (unsigned i = 0; i < n; i++) {
        const Rule* rule = rules[i];
        rte_mbuf* mbuf = packets_[i].mbuf;
        const Way* way = rule ? &this->way(*rule->program, in_port) : nullptr;
        if (!way || !way->plain) {
            others_rules[others] = rule;
            others_[others++] = static_cast<uint8_t>(i);
            start(static_cast<uint8_t>(i));
            continue;
        }
        bytes += mbuf->pkt_len;
        tallies_.at(rule->tally).add(1, mbuf->pkt_len, second_);
        if (way->to != kNoPort)
            together.add(way->to, mbuf);
        else
            tx_.drop(execute_.blamed(), way->why, mbuf);
    }
    together.push();
    if (const unsigned plain = n - others) {
        tallies_.at(pipeline.looked_up[0]).add(plain, bytes, second_);
        tallies_.at(pipeline.matched[0]).add(plain, bytes, second_);
    }
    if (others) carry_out(pipeline, 0, std::span(others_).first(others), std::span(others_rules).first(others));
    return others;
}

// The packets that wait for `table`: their rules found and carried out. Sets next_ of each.
void Walk::table(const of::Pipeline& pipeline, unsigned table, std::span<const uint8_t> waiting) {
    std::array<const Rule*, kBurst> rules;
    std::array<uint8_t, kBurst> ready;
    unsigned n = 0;
    for (const uint8_t i : waiting) {
        next_[i] = kDone;
        if (execute_.need_for_lookup(packets_[i])) ready[n++] = i;
    }
    if (n == 0) return;
    find(*pipeline.tables[table], table, std::span(ready).first(n), std::span(rules).first(n));
    carry_out(pipeline, table, std::span(ready).first(n), std::span(rules).first(n));
}

// What packets found in a table: instructions, or a miss.
void Walk::carry_out(const of::Pipeline& pipeline, unsigned table, std::span<const uint8_t> packets,
                     std::span<const Rule* const> rules) {
    uint64_t bytes = 0, matched = 0, matched_bytes = 0;
    for (size_t i = 0; i < packets.size(); i++) {
        const uint32_t length = packets_[packets[i]].mbuf->pkt_len;
        bytes += length;
        if (const Rule* found = rules[i]) {
            matched++;
            matched_bytes += length;
            tallies_.at(found->tally).add(1, length, second_);
            if (only_goes_on(*found->program)) {
                packets_[packets[i]].rule = found;
                next_[packets[i]] = found->program->goto_table;
            } else {
                next_[packets[i]] = static_cast<uint8_t>(one(packets[i], *found));
            }
        } else {
            next_[packets[i]] = kDone;
            execute_.miss(packets_[packets[i]], static_cast<uint8_t>(table));
        }
    }
    tallies_.at(pipeline.looked_up[table]).add(packets.size(), bytes, second_);
    if (matched) tallies_.at(pipeline.matched[table]).add(matched, matched_bytes, second_);
}

// A packet's rule carried out; the table that it waits for then.
unsigned Walk::one(uint8_t i, const Rule& rule) {
    Packet& packet = packets_[i];
    packet.usual = false;  // the key may change
    execute_.next_packet(cached_ ? &trails_[i] : nullptr);
    unsigned next = execute_.instructions(packet, rule);
    if (next != kDone && execute_.must_continue()) {
        execute_.tables(packet, next);
        next = kDone;
    }
    if (next == kDone) execute_.action_set(packet);
    execute_.settle_copies(packet);
    return next;
}

void Walk::leave(const Plan& plan, std::span<const uint8_t> packets) {
    Together together(tx_, plan);
    for (const uint8_t i : packets) {
        Packet& packet = packets_[i];
        if (!execute_.settle(packet)) continue;
        if (packet.out != Packet::kNormal) {
            together.add(packet.out, packet.mbuf);
            continue;
        }
        together.push();
        execute_.send(packet.mbuf, packet.out);
    }
    together.push();
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
    packet.mbuf = outgoing.packet;
    start(0);
    packet.key.tunnel = outgoing.pipeline.tunnel;
    std::copy(std::begin(outgoing.pipeline.reg), std::end(outgoing.pipeline.reg), packet.key.reg);
    packet.registers = true;
    packet.usual = false;
    const Be32 in_port = Be32::of(outgoing.in_port);
    packet.key.arrival = {in_port, in_port, outgoing.pipeline.arrival.metadata};
    parse_again(packet, Depth::L4);
    execute_.actions(packet, outgoing.actions);
    execute_.action_set(packet);
    execute_.settle_copies(packet);
    constexpr uint8_t kFirst[] = {0};
    leave(plan, kFirst);
}

}  // namespace turnout
