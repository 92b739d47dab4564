// SPDX-License-Identifier: Apache-2.0
// flow_mod (OpenFlow 1.3.5, 6.4).
#include <algorithm>
#include <utility>

#include "engine/openflow/tables_impl.hpp"

namespace turnout::of {
namespace {

constexpr uint32_t kNoBuffer = 0xffffffff;

// Of a flow_mod's flags, those that a flow keeps.
constexpr uint16_t kKept = FlowMod::kSendRemoved | FlowMod::kCheckOverlap | FlowMod::kResetCounts |
                           FlowMod::kNoPacketCounts | FlowMod::kNoByteCounts;

bool sends_to(const Program& program, uint32_t port) {
    bool sends = false;
    for (const Actions* actions : {&program.apply, &program.write})
        for_each_action(*actions, [&](const Action& action) {
            if (const auto* output = std::get_if<Output>(&action.is)) sends |= output->port == port;
            if (const auto* cut = std::get_if<OutputTrunc>(&action.is)) sends |= cut->port == port;
            if (const auto* queue = std::get_if<Enqueue>(&action.is)) sends |= queue->port == port;
            if (std::holds_alternative<Controller>(action.is)) sends |= port == kPortController;
        });
    return sends;
}

}  // namespace

bool Tables::Impl::Filter::wants(const Flow& flow) const {
    if ((flow.cookie.load(std::memory_order_relaxed) ^ cookie) & cookie_mask) return false;
    if (out_group != kAnyGroup && std::ranges::find(flow.program->groups, out_group) == flow.program->groups.end())
        return false;
    return out_port == kPortAny || sends_to(*flow.program, out_port);
}

std::vector<Flow*> Tables::Impl::select(uint8_t table, const Match& match, const Filter& filter) const {
    std::vector<Flow*> flows;
    visit(table, match, filter, [&](Flow& flow) { flows.push_back(&flow); });
    return flows;
}

std::vector<Flow*> Tables::Impl::select_strict(uint8_t table, const Match& match, uint16_t priority,
                                               const Filter& filter) const {
    std::vector<Flow*> flows;
    const unsigned first = table == kAllTables ? 0 : table, last = table == kAllTables ? kTables - 1 : table;
    for (unsigned i = first; i <= last; i++) {
        if (!tables[i].flows) continue;
        const Rule* rule = pipeline.tables[i]->find(match, priority, next());
        if (rule && filter.wants(*rule->flow)) flows.push_back(rule->flow);
    }
    return flows;
}

void Tables::Impl::flow_mod(Bytes message, const SessionView& session) {
    const bool table_id = session.format == FlowFormat::Of10TableId || session.format == FlowFormat::NxmTableId;
    const FlowMod mod = decode_flow_mod(message, table_id);
    change_flows(mod, message[0], {kDelete, session.id, be32(&message[4])});
    forget_learned({kDelete, session.id, 0});
}

void Tables::Impl::change_flows(const FlowMod& mod, uint8_t version, const Cause& cause) {
    if (mod.table >= kTables && mod.table != kAllTables) throw error::kFlowTable;
    const bool strict = mod.command == FlowMod::ModifyStrict || mod.command == FlowMod::DeleteStrict;
    if (mod.command == FlowMod::Delete || mod.command == FlowMod::DeleteStrict) {
        const Filter filter{mod.out_port, mod.out_group, mod.cookie, mod.cookie_mask};
        for (Flow* flow :
             strict ? select_strict(mod.table, mod.match, mod.priority, filter) : select(mod.table, mod.match, filter))
            remove_flow(*flow, cause);
        return;
    }

    if (mod.buffer != kNoBuffer) throw error::kBufferUnknown;
    // Open vSwitch chooses table 0, and its client leaves the choice to the switch.
    const uint8_t table = mod.table == kAllTables ? 0 : mod.table;
    auto program = programs.get(mod.instructions, version, mod.match, table);
    check(*program, program->groups);
    const NewFlow what{table,
                       mod.priority,
                       mod.new_cookie,
                       mod.idle,
                       mod.hard,
                       mod.importance,
                       static_cast<uint16_t>(mod.flags & kKept)};
    // OpenFlow 1.0 has no flag for it: adding there always starts from zero.
    const bool resets = mod.flags & FlowMod::kResetCounts || version == kOf10;
    if (mod.command == FlowMod::Add) return add_flow(mod.match, what, std::move(program), resets, cause);

    const Filter filter{.cookie = mod.cookie, .cookie_mask = mod.cookie_mask};
    const auto flows =
        strict ? select_strict(mod.table, mod.match, mod.priority, filter) : select(mod.table, mod.match, filter);
    if (flows.empty() && version == kOf10 && !mod.keeps_cookie && !mod.cookie_mask)
        return add_flow(mod.match, what, std::move(program), true, cause);
    for (const Flow* flow : flows)
        if (program->has_goto && program->goto_table <= flow->rule->table) throw error::kInstTable;
    for (Flow* flow : flows) modify_flow(*flow, program, mod, cause);
}

// As Open vSwitch does, with its error for a meter that is not there.
void Tables::Impl::check(const Program& program, std::span<const uint32_t> named) const {
    if (program.meter && !meters.contains(program.meter)) throw error::kInvalidMeter;
    for (const uint32_t group : named)
        if (!groups.contains(group)) throw error::kActionOutGroup;
}

void Tables::Impl::add_flow(const Match& match, const NewFlow& what, std::shared_ptr<SharedProgram> program,
                            bool resets, const Cause& cause) {
    Classifier& rules = *pipeline.tables[what.table];
    if (const Rule* old = rules.find(match, what.priority, next())) {
        // A new flow in the old one's place, with its counters unless they are to be reset.
        Flow& flow = *old->flow;
        if (in_bundle) note(Undo::Replaced, flow);
        flow.cookie.store(what.cookie, std::memory_order_relaxed);
        flow.idle = what.idle, flow.hard = what.hard;
        flow.importance = what.importance, flow.flags = what.flags;
        flow.created = flow.modified = now;
        flow.since = host.second();
        replace(flow, std::move(program), resets ? host.new_tally() : flow.rule->tally);
        schedule(flow);
        return report(FlowEvent::Added, flow, cause);
    }
    if (what.flags & FlowMod::kCheckOverlap)
        rules.for_each(Match{}, next(), [&](const Rule& rule) {
            if (rule.priority == what.priority && overlap(rules.match_of(rule), match)) throw error::kOverlap;
        });
    Table& table = tables[what.table];
    if (table.flows >= table.config.limit) make_room(what.table);
    Flow& flow = insert(match, what, std::move(program), host.new_tally());
    report(FlowEvent::Added, flow, cause);
    if (table.vacancy_event) check_vacancy(what.table);
}

void Tables::Impl::modify_flow(Flow& flow, std::shared_ptr<SharedProgram> program, const FlowMod& mod,
                               const Cause& cause) {
    const bool acts_otherwise = flow.program != program.get(), resets = mod.flags & FlowMod::kResetCounts;
    if (in_bundle) note(acts_otherwise || resets ? Undo::Replaced : Undo::Altered, flow);
    const uint64_t cookie = flow.cookie.load(std::memory_order_relaxed);
    const bool renamed = !mod.keeps_cookie && mod.new_cookie != cookie;
    if (renamed) flow.cookie.store(mod.new_cookie, std::memory_order_relaxed);
    flow.modified = now;
    if (acts_otherwise || resets) replace(flow, std::move(program), resets ? host.new_tally() : flow.rule->tally);
    if (flow.hard) schedule(flow);
    if (acts_otherwise || renamed) report(FlowEvent::Modified, flow, cause);
}

Flow& Tables::Impl::insert(const Match& match, const NewFlow& what, std::shared_ptr<SharedProgram> program,
                           TallyId tally) {
    auto* flow = new Flow;
    flow->cookie.store(what.cookie, std::memory_order_relaxed);
    flow->created = flow->modified = now;
    flow->since = host.second();
    flow->idle = what.idle, flow->hard = what.hard;
    flow->importance = what.importance, flow->flags = what.flags;
    const Program* runs = program.get();
    if (!program->flows) reads |= program->reads;
    for (const auto& learned : program->delete_learned) learners[learned]++;
    programs.attach(*flow, std::move(program));
    flow->rule = pipeline.tables[what.table]->insert(match, {runs, flow, next(), tally, what.priority, what.table});
    tables[what.table].flows++;
    tables[what.table].touched = changed = true;
    pipeline.changes.note(match, next());
    if (flow->idle || flow->hard) schedule(*flow);
    if (in_bundle) note(Undo::Inserted, *flow);
    return *flow;
}

// Another rule takes the place of the flow's rule, in one version.
void Tables::Impl::replace(Flow& flow, std::shared_ptr<SharedProgram> program, TallyId tally) {
    Rule& old = *flow.rule;
    Classifier& rules = *pipeline.tables[old.table];
    for (const auto& learned : program->delete_learned) learners[learned]++;
    for (const auto& learned : flow.program->delete_learned)
        if (--learners[learned] == 0) forgotten.push_back(learned);
    if (!program->flows) reads |= program->reads;
    if (auto unused = programs.detach(flow)) bin().programs.push_back(std::move(unused));
    const Program* runs = program.get();
    programs.attach(flow, std::move(program));
    if (tally != old.tally) bin().tallies.push_back(old.tally);
    const Match match = rules.match_of(old);
    const auto priority = static_cast<uint16_t>(old.priority);
    const auto table = static_cast<uint8_t>(old.table);
    pipeline.changes.note(match, next());
    rules.remove(&old, next());
    flow.rule = rules.insert(match, {runs, &flow, next(), tally, priority, table});
    tables[table].touched = changed = may_shrink = true;
}

void Tables::Impl::remove(Flow& flow) {
    if (in_bundle) note(Undo::Removed, flow);
    wheel.drop(flow);
    for (const auto& learned : flow.program->delete_learned)
        if (--learners[learned] == 0) forgotten.push_back(learned);
    if (auto unused = programs.detach(flow)) bin().programs.push_back(std::move(unused));
    Rule& rule = *std::exchange(flow.rule, nullptr);
    Table& table = tables[rule.table];
    table.flows--;
    table.touched = true;
    bin().flows.push_back(&flow);
    bin().tallies.push_back(rule.tally);
    pipeline.changes.note(pipeline.tables[rule.table]->match_of(rule), next());
    pipeline.tables[rule.table]->remove(&rule, next());
    changed = may_shrink = true;
}

void Tables::Impl::remove_flow(Flow& flow, const Cause& cause) {
    const auto table = static_cast<uint8_t>(flow.rule->table);
    report(FlowEvent::Removed, flow, cause);
    remove(flow);
    if (tables[table].vacancy_event) check_vacancy(table);
}

// learn(delete_learned): what was learned goes with the last flow that learns it.
void Tables::Impl::forget_learned(const Cause& cause) {
    while (!forgotten.empty()) {
        const auto learned = forgotten.back();
        forgotten.pop_back();
        const auto left = learners.find(learned);
        if (left == learners.end() || left->second) continue;
        learners.erase(left);
        if (learned.table >= kTables) continue;
        for (Flow* flow : select(learned.table, Match{}, {.cookie = learned.cookie, .cookie_mask = ~uint64_t{0}}))
            remove_flow(*flow, cause);
    }
}

}  // namespace turnout::of
