// SPDX-License-Identifier: Apache-2.0
// Messages in, versions out.
#include "engine/openflow/tables.hpp"

#include <utility>

#include "engine/openflow/tables_impl.hpp"

namespace turnout::of {
namespace {

enum : uint32_t { kNxFlowMod = 13, kNxGroupMod = 31 };

const std::shared_ptr<const Group>& shown(const GroupState& state) { return state.group; }
const std::shared_ptr<Meter>& shown(const MeterState& state) { return state.meter; }

}  // namespace

Tables::Impl::Retired::~Retired() {
    for (const Flow* flow : flows) delete flow;
    for (const TallyId tally : tallies) host->free_tally(tally);
}

Tables::Impl::Impl(Host& of) : host(of) {
    for (unsigned i = 0; i < kTables; i++) {
        pipeline.looked_up[i] = host.new_tally();
        pipeline.matched[i] = host.new_tally();
        tables[i].config.name = "table" + std::to_string(i);
    }
    groups_changed = meters_changed = changed = true;
    publish();
}

Tables::Impl::~Impl() {
    const Match all{};
    for (unsigned i = 0; i < kTables; i++) {
        if (tables[i].flows)
            pipeline.tables[i]->for_each(all, next(), [&](Rule& rule) {
                host.free_tally(rule.tally);
                delete rule.flow;
            });
        host.free_tally(pipeline.looked_up[i]);
        host.free_tally(pipeline.matched[i]);
    }
}

Tables::Impl::Kind Tables::Impl::kind_of(Bytes message) {
    const bool of10 = message[0] == kOf10;
    switch (message[1]) {
        case 4: {
            if (message.size() < 16 || be32(&message[8]) != kNiciraVendor) return Kind::Other;
            const uint32_t subtype = be32(&message[12]);
            return subtype == kNxFlowMod && of10 ? Kind::FlowMod
                   : subtype == kNxGroupMod      ? Kind::GroupMod
                                                 : Kind::Other;
        }
        case 13:
            return Kind::PacketOut;
        case 14:
            return Kind::FlowMod;
        case 15:
            return of10 ? Kind::Other : Kind::GroupMod;
        case 18:
            return of10 ? Kind::Barrier : Kind::Other;
        case 20:
            return of10 ? Kind::Other : Kind::Barrier;
        case 29:
            return of10 ? Kind::Other : Kind::MeterMod;
        default:
            return Kind::Other;
    }
}

Received Tables::Impl::receive(Bytes data, const SessionView& session) {
    now = host.now_ns();
    Received received;
    for (;;) {
        const Bytes rest = data.subspan(received.consumed);
        const auto header = peek(rest);
        if (!header || header->length < 8 || header->length > rest.size() || header->version != session.version) break;
        const Bytes message = rest.first(header->length);
        const Kind kind = kind_of(message);
        if (kind == Kind::Other) break;
        try {
            carry_out(kind, message, session, received.replies);
        } catch (const OfError& error) {
            encode_error(received.replies, session.version, header->xid, error, message);
        }
        received.consumed += header->length;
    }
    publish();
    return received;
}

void Tables::Impl::carry_out(Kind kind, Bytes message, const SessionView& session, Wire& replies) {
    if (kind == Kind::Barrier) return barrier(message, replies);
    if (!session.may_write) throw error::kIsSlave;
    switch (kind) {
        case Kind::FlowMod:
            return flow_mod(message, session);
        case Kind::GroupMod:
            return group_mod(message, session);
        case Kind::MeterMod:
            return meter_mod(message, session);
        default:
            return packet_out(message);
    }
}

// Packets that were sent after a change meet it.
void Tables::Impl::packet_out(Bytes message) {
    PacketOut packet = decode_packet_out(message);
    if (packet.buffer != 0xffffffff) throw error::kBufferUnknown;
    for_each_action(packet.actions, [&](const Action& action) {
        if (const auto* to = std::get_if<ToGroup>(&action.is); to && !groups.contains(to->group))
            throw error::kActionOutGroup;
    });
    if (in_bundle) {
        packets.push_back(std::move(packet));
        return;
    }
    publish();
    host.packet_out(packet);
    unseen = true;
}

void Tables::Impl::barrier(Bytes message, Wire& replies) {
    if (message.size() != 8) throw error::kRequestLen;
    publish();
    if (std::exchange(unseen, false)) host.wait_for_workers();
    const size_t at = replies.size();
    replies.insert(replies.end(), message.begin(), message.end());
    replies[at + 1]++;  // the reply's type follows the request's
}

Tables::Impl::Retired& Tables::Impl::bin() {
    if (!retired) {
        retired = std::make_unique<Retired>();
        retired->host = &host;
    }
    return *retired;
}

// Order matters: whoever takes the new version finds what its rules name, and whoever still uses the old one finds what
// that names. A worker takes the version before it takes anything else.
void Tables::Impl::publish() {
    if (!changed) return;
    publish_reads();
    const bool groups_go = groups_changed, meters_go = meters_changed;
    publish_book(groups, published_groups, pipeline.groups, groups_changed, false);
    publish_book(meters, published_meters, pipeline.meters, meters_changed, false);
    const Rule* all_normal = find_all_normal();
    const bool same = all_normal == pipeline.all_normal.load(std::memory_order_relaxed);
    if (!same) pipeline.all_normal.store(nullptr, std::memory_order_seq_cst);
    pipeline.version.store(next(), std::memory_order_seq_cst);
    if (!same) pipeline.all_normal.store(all_normal, std::memory_order_release);
    if (groups_go) publish_book(groups, published_groups, pipeline.groups, groups_changed, true);
    if (meters_go) publish_book(meters, published_meters, pipeline.meters, meters_changed, true);

    for (unsigned i = 0; i < kTables; i++)
        if (std::exchange(tables[i].touched, false)) pipeline.tables[i]->published(next() - 1);
    for (; settled < events.size(); settled++) {
        PendingEvent& pending = events[settled];
        const Host::Tally tally = host.tally(pending.tally);
        pending.event.flow.packets = tally.packets;
        pending.event.flow.bytes = tally.bytes;
    }
    if (retired) host.reclaimer().later(retired.release());
    changed = false;
    unseen = true;
}

void Tables::Impl::publish_reads() {
    for (unsigned i = 0; i < kTables; i++)
        if (tables[i].touched) reads |= pipeline.tables[i]->reads();
    if (published_reads && std::memcmp(&published_reads->mask, &reads, sizeof reads) == 0) return;
    auto now = std::make_unique<const Reads>(Reads{reads, depth_of(reads), port_only(reads)});
    pipeline.reads.store(now.get(), std::memory_order_release);
    if (published_reads) bin().reads.push_back(std::move(published_reads));
    published_reads = std::move(now);
}

// Before the version: what is new, beside what goes. After it: without what went.
template <typename Book, typename Map>
void Tables::Impl::publish_book(const Book& book, std::unique_ptr<const Map>& published, std::atomic<const Map*>& to,
                                bool& book_changed, bool after) {
    if (!after && !std::exchange(book_changed, false)) return;
    auto now = std::make_unique<Map>();
    for (const auto& [id, state] : book) now->emplace(id, shown(state));
    if (!after && published)
        for (const auto& kept : *published) now->insert(kept);
    if (after && published && published->size() == now->size()) return;
    to.store(now.get(), std::memory_order_release);
    if (published) {
        if constexpr (std::is_same_v<Map, Groups>)
            bin().groups.push_back(std::move(published));
        else
            bin().meters.push_back(std::move(published));
    }
    published = std::move(now);
}

const Rule* Tables::Impl::find_all_normal() const {
    if (tables[0].flows != 1) return nullptr;
    const Rule* normal = nullptr;
    pipeline.tables[0]->for_each(Match{}, next(), [&](const Rule& rule) {
        const Program& program = *rule.program;
        if (program.meter || program.clear || program.has_write || program.has_metadata || program.has_goto ||
            program.apply.size() != 1)
            return;
        const auto* output = std::get_if<Output>(&program.apply[0].is);
        if (output && output->port == kPortNormal && pipeline.tables[0]->match_of(rule) == Match{}) normal = &rule;
    });
    return normal;
}

Tables::Tables(Host& host) : impl_(std::make_unique<Impl>(host)) {}
Tables::~Tables() = default;
Pipeline& Tables::pipeline() { return impl_->pipeline; }
Received Tables::receive(Bytes data, const SessionView& session) { return impl_->receive(data, session); }
Wire Tables::commit(const std::vector<Bytes>& messages, const SessionView& session) {
    return impl_->commit(messages, session);
}
std::vector<Wire> Tables::statistics(Bytes request, const SessionView& session) {
    return impl_->statistics(request, session);
}
void Tables::expire() { impl_->expire(); }
void Tables::learn(const Learn& learn, const FlowKey& key) { impl_->learn(learn, key); }
Tables::TableConfig Tables::config(uint8_t table) const { return impl_->tables.at(table).config; }

void Tables::clear() {
    Impl& impl = *impl_;
    impl.delete_groups(kAllGroups, {});
    for (uint8_t table = 0; table < kTables; table++)
        for (Flow* flow : impl.select(table, Match{}, {})) impl.remove(*flow);
    impl.forgotten.clear();
    impl.events.clear();
    impl.settled = 0;
    impl.publish();
}

}  // namespace turnout::of
