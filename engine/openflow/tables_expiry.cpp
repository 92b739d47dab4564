// SPDX-License-Identifier: Apache-2.0
// Timeouts, eviction, and what else goes with time.
#include <algorithm>
#include <tuple>
#include <utility>

#include "engine/openflow/tables_impl.hpp"

namespace turnout::of {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;  // [ns]

// Eviction takes a 256th of a full table at once, so that a stream of new flows need not look at all for each.
constexpr uint32_t kShare = 256;

// To work out anew what keys are needed for looks at all programs: not where there are more than these.
constexpr size_t kFewPrograms = 4096;

// A value of zero means for ever.
void reduce(uint16_t& timeout, uint16_t most) {
    if (most && (!timeout || timeout > most)) timeout = most;
}

}  // namespace

void Wheel::put(Flow& flow, uint32_t due) {
    drop(flow);
    flow.due = std::max(due, taken_ + 1);
    auto& slot = slots_[flow.due % kSlots];
    flow.due_at = static_cast<uint32_t>(slot.size());
    slot.push_back(&flow);
}

void Wheel::drop(Flow& flow) {
    if (!flow.due) return;
    auto& slot = slots_[flow.due % kSlots];
    slot[flow.due_at] = slot.back();
    slot[flow.due_at]->due_at = flow.due_at;
    slot.pop_back();
    flow.due = 0;
}

std::vector<Flow*> Wheel::take(uint32_t now) {
    std::vector<Flow*> due;
    const uint32_t first = now > kSlots ? std::max(taken_, now - kSlots) + 1 : taken_ + 1;
    for (uint32_t second = first; second <= now; second++)
        for (Flow* flow : slots_[second % kSlots])
            if (flow->due <= now) due.push_back(flow);
    for (Flow* flow : due) drop(*flow);
    taken_ = std::max(taken_, now);
    return due;
}

// Why the flow has expired; or nothing, and `due` is the second at which to look again (0: never).
// A packet was seen in the second `used`, nobody knows when in it: idle flows live up to a second longer.
std::optional<uint8_t> Tables::Impl::expired(const Flow& flow, uint32_t& due) const {
    due = 0;
    const uint32_t second = host.second();
    if (flow.hard) {
        const uint64_t end = flow.modified + flow.hard * kSecond;
        if (now >= end) return kHard;
        due = second + static_cast<uint32_t>((end - now + kSecond - 1) / kSecond);
    }
    if (flow.idle) {
        const uint32_t end = std::max(host.tally(flow.rule->tally).used, flow.since) + flow.idle;
        if (second > end) return kIdle;
        due = due ? std::min(due, end + 1) : end + 1;
    }
    return {};
}

void Tables::Impl::schedule(Flow& flow) {
    uint32_t due = 0;
    if (expired(flow, due))
        wheel.put(flow, host.second());
    else if (due)
        wheel.put(flow, due);
    else
        wheel.drop(flow);
}

void Tables::Impl::expire() {
    now = host.now_ns();
    for (Flow* flow : wheel.take(host.second())) {
        if (!flow->rule) continue;  // it was learned by one that has just expired
        uint32_t due = 0;
        if (const auto reason = expired(*flow, due))
            remove_flow(*flow, {.reason = *reason});
        else if (due)
            wheel.put(*flow, due);
    }
    forget_learned({.reason = kDelete});
    for (uint8_t table = 0; table < kTables; table++)
        if (tables[table].config.evict && tables[table].flows > tables[table].config.limit)
            evict(table, tables[table].flows - tables[table].config.limit);
    publish();
    if (may_shrink) shrink_reads();
    for (auto& table : pipeline.tables) table->tidy();
}

// Evicts flows of the least importance, then those that will expire first. Flows without timeouts are not evicted, as
// in Open vSwitch. Returns how many went.
uint32_t Tables::Impl::evict(uint8_t table, uint32_t count) {
    using Rank = std::tuple<uint16_t, uint32_t, Flow*>;
    std::vector<Rank> ranks;
    pipeline.tables[table]->for_each(Match{}, next(), [&](const Rule& rule) {
        Flow& flow = *rule.flow;
        uint32_t due = 0;
        if (flow.idle || flow.hard) ranks.emplace_back(flow.importance, expired(flow, due) ? 0 : due, &flow);
    });
    count = std::min(count, static_cast<uint32_t>(ranks.size()));
    std::nth_element(ranks.begin(), ranks.begin() + count, ranks.end());
    ranks.resize(count);
    for (const auto& [importance, due, flow] : ranks) remove_flow(*flow, {.reason = kEviction});
    return count;
}

void Tables::Impl::make_room(uint8_t number) {
    Table& table = tables[number];
    if (!table.config.evict) throw error::kTableFull;
    const uint32_t over = table.flows - table.config.limit + 1;
    if (evict(number, std::max(over, table.flows / kShare)) < over) throw error::kTableFull;
}

// Reads grow with every change; when what needed them is gone, packets need not be parsed so deep any more.
void Tables::Impl::shrink_reads() {
    if (programs.size() > kFewPrograms) return;
    may_shrink = false;
    FlowKey now{};
    for (unsigned i = 0; i < kTables; i++)
        if (tables[i].flows) now |= pipeline.tables[i]->reads();
    programs.for_each([&](const SharedProgram& program) { now |= program.reads; });
    for (const auto& [id, state] : groups) now |= reads_of(*state.group);
    if (std::memcmp(&now, &reads, sizeof now) == 0) return;
    host.wait_for_workers();  // who still looks at an older version needs what that reads
    reads = now;
    publish_reads();
    if (retired) host.reclaimer().later(retired.release());
}

void Tables::fin_timeout(Flow* flow, uint16_t idle, uint16_t hard) {
    impl_->now = impl_->host.now_ns();
    reduce(flow->idle, idle);
    reduce(flow->hard, hard);
    impl_->schedule(*flow);
}

}  // namespace turnout::of
