// SPDX-License-Identifier: Apache-2.0
#include "engine/openflow/programs.hpp"

#include <algorithm>

#include "engine/openflow/errors.hpp"

namespace turnout::of {
namespace {

constexpr uint8_t kIcmp = 1, kIcmpv6 = 58;
constexpr Be32 kBottom = Be32::of(0x100);  // of an MPLS label stack

ProgramContext context_of(const Match& match, uint8_t table) {
    // ICMP's type and code lie where ports do, and only the former make fields.
    const bool icmp = match.value.net.proto == kIcmp || match.value.net.proto == kIcmpv6;
    const auto sides = [&](const FlowKey& key) {
        const Network& net = key.net;
        const auto bottom = [&](int i) { return uint64_t{net.mpls_lse[i].raw & kBottom.raw}; };
        return ProgramContext::Side{
            uint64_t{key.eth.type.raw} | uint64_t{key.eth.vlan[0].tci.raw} << 16 |
                uint64_t{key.eth.vlan[1].tci.raw} << 32 | uint64_t{net.proto} << 48 | uint64_t{net.frag} << 56,
            bottom(0) | bottom(1) << 32, icmp ? uint64_t{key.tp.src.raw} << 16 | key.tp.dst.raw : 0};
    };
    return {sides(match.value), sides(match.mask), table};
}

void insert_once(std::vector<uint32_t>& ids, uint32_t id) {
    if (std::ranges::find(ids, id) == ids.end()) ids.push_back(id);
}

// Fills in what follows from the program's actions.
void summarize(SharedProgram& program) {
    for (const Actions* actions : {&program.apply, &program.write})
        for_each_action(*actions, [&](const Action& action) {
            if (const auto* to = std::get_if<ToGroup>(&action.is)) insert_once(program.groups, to->group);
            if (const auto* learn = std::get_if<LearnAction>(&action.is); learn && learn->learn->flags & kDeleteLearned)
                program.delete_learned.push_back({learn->learn->table, learn->learn->cookie});
        });
    program.reads = reads_of(program);
}

}  // namespace

std::shared_ptr<SharedProgram> Programs::get(Bytes wire, uint8_t version, const Match& match, uint8_t table) {
    key_.assign(1, static_cast<char>(version));
    key_.append(reinterpret_cast<const char*>(wire.data()), wire.size());
    const ProgramContext context = context_of(match, table);
    const auto known = by_key_.find(key_);
    if (known != by_key_.end() && known->second->passed == context) return known->second->shared_from_this();

    auto decoded = decode_program(wire, version, match, table);
    if (decoded.has_goto && (decoded.goto_table <= table || decoded.goto_table >= kTables)) throw error::kInstTable;
    if (known != by_key_.end()) {
        known->second->passed = context;
        return known->second->shared_from_this();
    }
    auto program = share(std::move(decoded), key_);
    program->passed = context;
    return program;
}

std::shared_ptr<SharedProgram> Programs::share(Program program, std::string key) {
    if (const auto known = by_key_.find(key); known != by_key_.end()) return known->second->shared_from_this();
    auto shared = std::make_shared<SharedProgram>();
    static_cast<Program&>(*shared) = std::move(program);
    shared->key = std::move(key);
    summarize(*shared);
    return shared;
}

void Programs::attach(Flow& flow, std::shared_ptr<SharedProgram> program) {
    SharedProgram& to = *program;
    if (to.flows++ == 0) {
        all_.emplace(&to, std::move(program));
        by_key_.emplace(to.key, &to);
        for (const uint32_t group : to.groups) by_group_[group].insert(&to);
        if (to.meter) by_meter_[to.meter].insert(&to);
    }
    flow.program = &to;
    flow.previous = nullptr;
    flow.next = to.first;
    if (to.first) to.first->previous = &flow;
    to.first = &flow;
}

std::shared_ptr<SharedProgram> Programs::detach(Flow& flow) {
    SharedProgram& from = *flow.program;
    (flow.previous ? flow.previous->next : from.first) = flow.next;
    if (flow.next) flow.next->previous = flow.previous;
    if (--from.flows) return nullptr;
    const auto forget = [&](Index& index, uint32_t id) {
        const auto found = index.find(id);
        found->second.erase(&from);
        if (found->second.empty()) index.erase(found);
    };
    for (const uint32_t group : from.groups) forget(by_group_, group);
    if (from.meter) forget(by_meter_, from.meter);
    // Another program with this key may have come first; then that one is known by it.
    if (const auto known = by_key_.find(from.key); known != by_key_.end() && known->second == &from)
        by_key_.erase(known);
    const auto kept = all_.find(&from);
    auto program = std::move(kept->second);
    all_.erase(kept);
    return program;
}

std::vector<Flow*> Programs::users(const Index& index, uint32_t id) {
    std::vector<Flow*> flows;
    if (const auto found = index.find(id); found != index.end())
        for (const SharedProgram* program : found->second)
            for (Flow* flow = program->first; flow; flow = flow->next) flows.push_back(flow);
    return flows;
}

uint32_t Programs::count(const Index& index, uint32_t id) {
    uint32_t flows = 0;
    if (const auto found = index.find(id); found != index.end())
        for (const SharedProgram* program : found->second) flows += program->flows;
    return flows;
}

}  // namespace turnout::of
