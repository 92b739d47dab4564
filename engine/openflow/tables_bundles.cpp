// SPDX-License-Identifier: Apache-2.0
// Bundles (OpenFlow 1.4, 6.8): each change notes how to undo it; a message that fails has all before it undone. Undoing
// happens in the version under way as well, so that workers never see that anything was tried.
#include <utility>

#include "engine/openflow/tables_impl.hpp"

namespace turnout::of {

Wire Tables::Impl::commit(const std::vector<Bytes>& messages, const SessionView& session) {
    now = host.now_ns();
    const auto groups_before = groups;
    const auto meters_before = meters;
    const size_t events_before = events.size(), vacancies_before = vacancies.size();
    Wire reply;
    in_bundle = true;
    for (const Bytes message : messages) try {
            const auto header = peek(message);
            if (!header || header->length != message.size()) throw error::kRequestLen;
            if (header->version != session.version) throw error::kRequestVersion;
            const Kind kind = kind_of(message);
            if (kind == Kind::Other || kind == Kind::Barrier) throw error::kRequestType;
            carry_out(kind, message, session, reply);
        } catch (const OfError& error) {
            const auto header = peek(message);
            encode_error(reply, session.version, header ? header->xid : 0, error, message);
            groups = groups_before;
            meters = meters_before;
            roll_back();
            events.resize(events_before);
            vacancies.resize(vacancies_before);
            break;
        }
    in_bundle = false;
    undo.clear();
    publish();
    for (const PacketOut& packet : std::exchange(packets, {})) {
        host.packet_out(packet);
        unseen = true;
    }
    return reply;
}

void Tables::Impl::note(Undo::Kind kind, Flow& flow) {
    const Rule& rule = *flow.rule;
    const auto table = static_cast<uint8_t>(rule.table);
    undo.push_back({kind, &flow, flow.program->shared_from_this(),
                    kind == Undo::Inserted ? nullptr : std::make_unique<Match>(pipeline.tables[table]->match_of(rule)),
                    rule.tally, static_cast<uint16_t>(rule.priority), table,
                    flow.cookie.load(std::memory_order_relaxed), flow.created, flow.modified, flow.since, flow.idle,
                    flow.hard, flow.importance, flow.flags});
}

void Tables::Impl::roll_back() {
    in_bundle = false;
    packets.clear();
    if (retired) {
        retired->flows.clear();
        retired->tallies.clear();
    }
    for (; !undo.empty(); undo.pop_back()) put_back(undo.back());
    forgotten.clear();
}

void Tables::Impl::put_back(const Undo& was) {
    Flow& flow = *was.flow;
    Classifier& rules = *pipeline.tables[was.table];
    if (was.kind == Undo::Inserted || was.kind == Undo::Replaced) {
        for (const auto& learned : flow.program->delete_learned) learners[learned]--;
        if (auto unused = programs.detach(flow)) bin().programs.push_back(std::move(unused));
        if (was.kind == Undo::Inserted || flow.rule->tally != was.tally) host.free_tally(flow.rule->tally);
        rules.undo(std::exchange(flow.rule, nullptr));
    }
    if (was.kind == Undo::Inserted) {
        tables[was.table].flows--;
        wheel.drop(flow);
        delete &flow;
        return;
    }
    flow.cookie.store(was.cookie, std::memory_order_relaxed);
    flow.created = was.created, flow.modified = was.modified, flow.since = was.since;
    flow.idle = was.idle, flow.hard = was.hard, flow.importance = was.importance, flow.flags = was.flags;
    if (was.kind == Undo::Removed) tables[was.table].flows++;
    if (was.kind != Undo::Altered) {
        for (const auto& learned : was.program->delete_learned) learners[learned]++;
        programs.attach(flow, was.program);
        pipeline.changes.note(*was.match, next());
        flow.rule = rules.insert(*was.match, {was.program.get(), &flow, next(), was.tally, was.priority, was.table});
    }
    schedule(flow);
}

}  // namespace turnout::of
