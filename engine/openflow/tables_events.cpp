// SPDX-License-Identifier: Apache-2.0
// What sessions hear of flows.
#include <algorithm>
#include <utility>

#include "engine/openflow/tables_impl.hpp"

namespace turnout::of {

enum : uint8_t { kVacancyDown = 3, kVacancyUp = 4 };  // OFPTR_*

FlowStats Tables::Impl::stats_of(const Flow& flow) const {
    const Rule& rule = *flow.rule;
    const Host::Tally tally = host.tally(rule.tally);
    const auto seconds = [](uint64_t ns) { return static_cast<uint32_t>(ns / 1'000'000'000); };
    return {.match = pipeline.tables[rule.table]->match_of(rule),
            .program = flow.program,
            .cookie = flow.cookie.load(std::memory_order_relaxed),
            .packets = tally.packets,
            .bytes = tally.bytes,
            .age_ns = now - flow.created,
            .idle_age = host.second() - std::max(tally.used, flow.since),
            .hard_age = seconds(now - flow.modified),
            .priority = static_cast<uint16_t>(rule.priority),
            .idle = flow.idle,
            .hard = flow.hard,
            .importance = flow.importance,
            .flags = flow.flags,
            .table = static_cast<uint8_t>(rule.table)};
}

void Tables::Impl::report(FlowEvent::Kind kind, const Flow& flow, const Cause& cause) {
    if (!monitored && !(kind == FlowEvent::Removed && flow.flags & FlowMod::kSendRemoved)) return;
    FlowEvent event{kind, stats_of(flow), flow.program->shared_from_this(), cause.xid, cause.session};
    event.flow.reason = cause.reason;
    events.push_back({std::move(event), flow.rule->tally});
}

// The two events come by turns, so that a table at a bound does not repeat one.
void Tables::Impl::check_vacancy(uint8_t number) {
    Table& table = tables[number];
    const TableConfig& config = table.config;
    const uint64_t free = config.limit > table.flows ? config.limit - table.flows : 0;
    const auto vacancy = static_cast<uint8_t>(config.limit ? free * 100 / config.limit : 0);
    const uint8_t event = vacancy < config.vacancy_down ? kVacancyDown : vacancy > config.vacancy_up ? kVacancyUp : 0;
    if (!event || event != table.vacancy_event) return;
    vacancies.push_back({number, event, vacancy});
    table.vacancy_event = event == kVacancyDown ? kVacancyUp : kVacancyDown;
}

std::vector<FlowEvent> Tables::take_events() {
    std::vector<FlowEvent> taken;
    taken.reserve(impl_->events.size());
    for (auto& pending : std::exchange(impl_->events, {})) taken.push_back(std::move(pending.event));
    impl_->settled = 0;
    return taken;
}

std::vector<VacancyEvent> Tables::take_vacancies() { return std::exchange(impl_->vacancies, {}); }

void Tables::monitor(bool all) { impl_->monitored = all; }

FlowStats Tables::describe(const Flow& flow) const {
    impl_->now = impl_->host.now_ns();
    return impl_->stats_of(flow);
}

Flow* Tables::lookup(uint8_t table, const FlowKey& key) const {
    if (table >= kTables) return nullptr;
    const FlowKey* keys[] = {&key};
    const Rule* found[] = {nullptr};
    impl_->pipeline.tables[table]->lookup(keys, impl_->pipeline.version.load(std::memory_order_relaxed), found);
    return found[0] ? found[0]->flow : nullptr;
}

void Tables::for_each(const FlowStatsRequest& request, const std::function<void(const FlowStats&)>& visit) const {
    if (request.table >= kTables && request.table != kAllTables) throw error::kFlowTable;
    const Impl::Filter filter{request.out_port, request.out_group, request.cookie, request.cookie_mask};
    impl_->now = impl_->host.now_ns();
    impl_->visit(request.table, request.match, filter, [&](const Flow& flow) { visit(impl_->stats_of(flow)); });
}

void Tables::configure(uint8_t number, const TableConfig& config) {
    Impl::Table& table = impl_->tables.at(number);
    table.config = config;
    if (!config.vacancy) {
        table.vacancy_event = 0;
    } else if (!table.vacancy_event) {
        const uint64_t free = config.limit > table.flows ? config.limit - table.flows : 0;
        table.vacancy_event = free * 100 < uint64_t{config.limit} * config.vacancy_up ? kVacancyUp : kVacancyDown;
    }
}

}  // namespace turnout::of
