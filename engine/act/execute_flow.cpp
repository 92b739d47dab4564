// SPDX-License-Identifier: Apache-2.0
// Where a packet goes on: tables within actions, clones, groups, meters.
#include <rte_cycles.h>

#include <cmath>
#include <utility>

#include "engine/act/execute.hpp"
#include "engine/act/hash.hpp"
#include "engine/act/metering.hpp"

namespace turnout {
namespace {

constexpr unsigned kGroupChain = 32;  // groups watching groups

// Whether the actions leave packet and key as they are.
bool only_sends(const of::Actions& actions) {
    using namespace of;
    for (const Action& action : actions) {
        const bool sends = std::visit(
            []<typename Kind>(const Kind&) {
                return std::is_same_v<Kind, Output> || std::is_same_v<Kind, Enqueue> ||
                       std::is_same_v<Kind, Controller> || std::is_same_v<Kind, OutputTrunc> ||
                       std::is_same_v<Kind, ToGroup> || std::is_same_v<Kind, Note>;
            },
            action.is);
        if (!sends) return false;
    }
    return true;
}

// How well a bucket suits a flow: weighted rendezvous hashing. Each bucket draws for each flow; when one goes, only its
// flows move, and each bucket gets its weight's share.
float draw(uint64_t flow, uint64_t bucket, uint16_t weight) {
    const uint64_t random = mix(flow ^ mix(bucket + 1));
    const float uniform = (static_cast<float>(random >> 40) + 0.5f) * 0x1p-24f;  // in (0, 1)
    return -std::log(uniform) / static_cast<float>(weight);                      // the least wins
}

}  // namespace

void Execute::count(TallyId tally, const Packet& packet) { tallies_.at(tally).add(1, packet.mbuf->pkt_len, second_); }

void Execute::miss(Packet& packet, uint8_t table) {
    packet.why = Drop::NoRule;
    if (!pipeline_->miss_to_controller[table].load(std::memory_order_relaxed)) return;
    if (in_port_ != kNoPort && plan_->ports[in_port_].config & kNoPacketIn) return;
    const uint16_t length = pipeline_->miss_send_len.load(std::memory_order_relaxed);
    packet.rule = nullptr;
    packet_in(packet, Reason::NoMatch, 0, length, nullptr, {nullptr, table, Reason::NoMatch, 0, false});
    packet.sent = true;
}

// The packet's rule in a table, as if it had come in by `in_port`.
const Rule* Execute::find(Packet& packet, unsigned table, Be32 in_port) {
    const Rule* rule = nullptr;
    if (trail_ && trail_->next(table, rule)) return rule;
    const Be32 own = std::exchange(packet.key.arrival.in_port, in_port);
    FlowKey spare;
    const FlowKey* key = lookup_key(packet, spare);
    pipeline_->tables[table]->lookup({&key, 1}, version_, {&rule, 1});
    packet.key.arrival.in_port = own;
    if (trail_ && packet.opaque) trail_->close();
    if (trail_) trail_->found(table, rule);
    return rule;
}

// The packet through `table` and where that sends it, until it has no next one. `in_port` stands for the packet's own
// in the first lookup.
Execute::Step Execute::walk(Packet& packet, unsigned table, Be32 in_port, const Context& context) {
    Context inner = context;
    inner.depth++;
    for (bool first = true; table != kDone; first = false) {
        if (inner.depth > kMostDeep || tables_left_ == 0) {
            packet.out = Packet::kNowhere;
            packet.sent = false;
            return dead(packet, Drop::TooManyResubmits);
        }
        tables_left_--;
        if (!need(packet, lookup_depth_)) return dead(packet, Drop::NoMbuf);
        const Rule* rule = find(packet, table, first ? in_port : packet.key.arrival.in_port);
        count(pipeline_->looked_up[table], packet);
        inner.table = static_cast<uint8_t>(table);
        inner.rule = rule;
        if (!rule) {
            packet.why = Drop::NoRule;
            if (!first || context.reason == Reason::PacketOut) miss(packet, inner.table);
            return Step::Go;
        }
        count(pipeline_->matched[table], packet);
        count(rule->tally, packet);
        const Step step = instructions(packet, *rule, inner, table);
        if (step != Step::Go) return step == Step::End ? Step::Go : step;
    }
    return Step::Go;
}

void Execute::tables(Packet& packet, unsigned next) {
    // As one more rule of the table before would: a miss counts as one.
    walk(packet, next, packet.key.arrival.in_port, {nullptr, 0, Reason::PacketOut, 0, true});
}

Execute::Step Execute::resubmit(Packet& packet, const of::Resubmit& action, const Context& context) {
    const Be32 in_port = action.in_port == of::kPortInPort ? packet.key.arrival.in_port : Be32::of(action.in_port);
    const bool same = !action.with_table || action.table == of::kAllTables;
    return walk(packet, same ? context.table : action.table, in_port, context);
}

// The actions on a packet of their own, so that this one stays as it is.
Execute::Step Execute::clone(Packet& packet, const of::Actions& actions, const Context& context) {
    return apart(packet, only_sends(actions), context,
                 [&](Packet& own, const Context& inner) { return run(own, actions, inner); });
}

// Does something to the packet that what follows does not see; `in_place`: nothing will be left to see.
template <typename Do>
Execute::Step Execute::apart(Packet& packet, bool in_place, const Context& context, const Do& act) {
    Context inner = context;
    inner.depth++;
    if (inner.depth > kMostDeep) return dead(packet, Drop::TooManyResubmits);
    if (context.last || in_place) {
        ActionSet* const set = std::exchange(packet.set, nullptr);
        const Step step = act(packet, inner);
        packet.set = set;
        return step == Step::Dead ? step : Step::Go;
    }
    rte_mbuf* copy = rte_pktmbuf_copy(packet.mbuf, packet.mbuf->pool, 0, UINT32_MAX);
    if (!copy) {
        tx_.counters(blamed_).drop(Drop::NoMbuf);
        return Step::Go;
    }
    Packet own = packet;
    own.mbuf = copy;
    own.out = Packet::kNowhere;
    own.sent = false;
    own.set = nullptr;
    inner.last = true;
    const unsigned stacked = stack_n_;
    const std::array<Wide, kStack> stack = stack_;
    act(own, inner);
    stack_n_ = stacked;
    if (stacked) stack_ = stack;
    if (own.out != Packet::kNowhere)
        send(own.mbuf, own.out);
    else
        rte_pktmbuf_free(own.mbuf);
    packet.sent = packet.sent || own.sent || own.out != Packet::kNowhere;
    return Step::Go;
}

const of::Group* Execute::find_group(uint32_t id) const {
    if (!groups_) return nullptr;
    const auto found = groups_->find(id);
    return found == groups_->end() ? nullptr : found->second.get();
}

bool Execute::alive(uint32_t of_port) const {
    const PortNo port = bridge_->port_of(of_port);
    return port != kNoPort && plan_->ports[port].up();
}

bool Execute::alive(const of::Bucket& bucket, unsigned depth) const {
    if (bucket.watch_port == of::kPortAny && bucket.watch_group == of::kAnyGroup) return true;
    if (bucket.watch_port != of::kPortAny && alive(bucket.watch_port)) return true;
    if (bucket.watch_group == of::kAnyGroup || depth == kGroupChain) return false;
    const of::Group* watched = find_group(bucket.watch_group);
    if (!watched) return false;
    for (const of::Bucket& inner : watched->buckets)
        if (alive(inner, depth + 1)) return true;
    return false;
}

const of::Bucket* Execute::choose(Packet& packet, const of::Group& group) {
    if (group.type == of::Group::Indirect) return group.buckets.empty() ? nullptr : &group.buckets[0];
    const of::Bucket* best = nullptr;
    float least = INFINITY;
    uint64_t flow = 0;
    if (group.type == of::Group::Select) {
        if (!need(packet, Depth::L4)) return nullptr;
        flow = group.dp_hash ? hash_5tuple(packet.key, group.hash_param)
                             : hash_fields(packet.key, group.fields, group.hash_param);
    }
    for (size_t i = 0; i < group.buckets.size(); i++) {
        const of::Bucket& bucket = group.buckets[i];
        if (!alive(bucket)) continue;
        if (group.type == of::Group::FastFailover) return &bucket;
        if (bucket.weight == 0) continue;
        const float drawn = draw(flow, bucket.id ? bucket.id : i, bucket.weight);
        if (drawn < least) least = drawn, best = &bucket;
    }
    return best;
}

Execute::Step Execute::bucket(Packet& packet, const of::Group&, const of::Bucket& bucket, const Context& context) {
    count(bucket.tally, packet);
    Context inner = context;
    if (inner.reason != Reason::PacketOut) inner.reason = Reason::Group;
    const bool opaque = std::exchange(packet.opaque, true);  // another bucket might be chosen next time
    ActionSet set;
    set.write(bucket.actions);
    const Step step = apart(packet, only_sends(bucket.actions), inner, [&](Packet& own, Context each) {
        each.last = false;
        Step last = Step::Go;
        set.for_each([&](const of::Action& action) { return (last = one(own, action, each)) == Step::Go; });
        return last;
    });
    packet.opaque = opaque;
    if (trail_) trail_->close();  // nor does anything after it follow from the key alone
    return step;
}

Execute::Step Execute::group(Packet& packet, uint32_t id, const Context& context) {
    const of::Group* group = find_group(id);
    if (!group) {
        packet.why = Drop::NoLiveBucket;
        return Step::Go;
    }
    if (tables_left_ == 0) return dead(packet, Drop::TooManyResubmits);
    tables_left_--;
    count(group->tally, packet);
    if (group->type != of::Group::All) {
        const of::Bucket* chosen = choose(packet, *group);
        if (chosen) return bucket(packet, *group, *chosen, context);
        packet.why = Drop::NoLiveBucket;
        return Step::Go;
    }
    for (const of::Bucket& each : group->buckets) {
        Context inner = context;
        inner.last = context.last && &each == &group->buckets.back();
        if (const Step step = bucket(packet, *group, each, inner); step != Step::Go) return step;
    }
    return Step::Go;
}

Execute::Step Execute::meter(Packet& packet, uint32_t id) {
    if (!meters_) return Step::Go;
    const auto found = meters_->find(id);
    if (found == meters_->end()) return Step::Go;
    const of::Meter& meter = *found->second;
    count(meter.tally, packet);
    const int exceeded = of::exceeded_band(meter, packet.mbuf->pkt_len, rte_rdtsc());
    if (exceeded < 0) return Step::Go;
    const auto band = static_cast<size_t>(exceeded);
    if (band < meter.band_tally.size()) count(meter.band_tally[band], packet);
    if (meter.config.bands[band].type == of::MeterConfig::Band::Drop) return dead(packet, Drop::Meter);
    if (!need(packet, Depth::L3)) return dead(packet, Drop::NoMbuf);
    const Be16 type = packet.key.eth.type;
    if (type == Be16::of(0x0800) || type == Be16::of(0x86dd)) {
        packet.opaque = true;
        packet.key.net.tos = of::remarked(packet.key.net.tos, meter.config.bands[band].prec_level);
        packet.changed |= kPartNet;
    }
    return Step::Go;
}

}  // namespace turnout
