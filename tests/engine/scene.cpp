// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/scene.hpp"

#include <doctest/doctest.h>

#include <cstring>

#include "engine/openflow/programs.hpp"

namespace turnout::test {

Device::Sent Wire::tx(uint16_t, std::span<rte_mbuf*> packets) {
    for (rte_mbuf* packet : packets) {
        sent.push_back(bytes(packet));
        flags.push_back(packet->ol_flags);
        rte_pktmbuf_free(packet);
    }
    return {static_cast<uint16_t>(packets.size()), Drop::TxFull};
}

Scene::Scene(WalkCache::Policy policy)
    : mailbox(-1, 32, 32), walk(std::make_unique<Walk>(tx, *tallies, mailbox, policy)) {
    BridgeView& bridge = plan.bridges[0];
    auto fdb = std::make_shared<Fdb>(1024, 300);
    plan.fdbs.push_back(fdb);
    bridge.fdb = fdb.get();
    bridge.pipeline = &pipeline;
    bridge.by_ofport.assign(kPorts + 1, kNoPort);
    for (uint32_t i = 1; i <= kPorts + 1; i++) {
        const uint32_t number = i <= kPorts ? i : kLocalPort;
        const auto at = static_cast<PortNo>(i + 10);
        auto wire = std::make_shared<Wire>();
        wires[number] = wire;
        PortView& view = plan.ports[at];
        view.device = wire.get();
        view.longest = 65535 + 18;
        view.exists = true;
        view.ofport = number;
        bridge.ports.push_back(at);
        if (i <= kPorts)
            bridge.by_ofport[i] = at;
        else
            bridge.local = at;
    }
    for (unsigned i = 0; i < of::kTables; i++) {
        pipeline.looked_up[i] = new_tally();
        pipeline.matched[i] = new_tally();
    }
    reads_.depth = Depth::L4;
    pipeline.reads = &reads_;
    pipeline.groups = &groups_;
    pipeline.meters = &meters_;
}

Scene::~Scene() {
    for (const auto& [table, rule] : rules_) pipeline.tables[table]->remove(rule, pipeline.version + 1);
    pipeline.version.fetch_add(1);
    for (auto& table : pipeline.tables) table->published(pipeline.version);
}

TallyId Scene::new_tally() { return tally_n_++; }

Rule* Scene::add(uint8_t table, uint16_t priority, const Match& match, of::Program program) {
    programs_.push_back(std::move(program));
    pipeline.changes.note(match, pipeline.version + 1);
    const Rule* rule = nullptr;
    rule = pipeline.tables[table]->insert(match,
                                          {&programs_.back(), nullptr, pipeline.version, new_tally(), priority, table});
    rules_.emplace_back(table, const_cast<Rule*>(rule));
    of::operator|=(reads_.mask, match.mask);
    of::operator|=(reads_.mask, of::reads_of(programs_.back()));
    return const_cast<Rule*>(rule);
}

void Scene::remove(Rule* rule) {
    const uint8_t table = static_cast<uint8_t>(rule->table);
    pipeline.changes.note(pipeline.tables[table]->match_of(*rule), pipeline.version + 1);
    std::erase_if(rules_, [&](const auto& each) { return each.second == rule; });
    pipeline.tables[table]->remove(rule, pipeline.version + 1);
}

void Scene::group(of::Group group) {
    group.tally = new_tally();
    for (of::Bucket& bucket : group.buckets) bucket.tally = new_tally();
    groups_[group.id] = std::make_shared<of::Group>(std::move(group));
}

void Scene::meter(uint32_t id, of::MeterConfig config) {
    auto meter = std::make_shared<of::Meter>();
    meter->id = id;
    meter->tally = new_tally();
    for (size_t i = 0; i < config.bands.size(); i++) meter->band_tally.push_back(new_tally());
    meter->state = of::Meter::make_state(config);
    meter->config = std::move(config);
    meters_[id] = meter;
}

Frames Scene::collect() {
    tx.flush(plan);
    Frames all;
    for (auto& [port, wire] : wires) {
        if (!wire->sent.empty()) all[port] = std::move(wire->sent);
        wire->sent.clear();
    }
    return all;
}

Frames Scene::forward(uint32_t in_port, std::vector<rte_mbuf*> packets) {
    walk->forward(plan, static_cast<PortNo>(in_port + 10), packets, pipeline, second);
    return collect();
}

Frames Scene::forward(uint32_t in_port, const std::vector<Bytes>& frames) {
    std::vector<rte_mbuf*> packets;
    for (const Bytes& frame : frames) packets.push_back(mbuf(frame));
    return forward(in_port, std::move(packets));
}

Frames Scene::packet_out(uint32_t in_port, const of::Actions& actions, const Bytes& frame) {
    Outgoing outgoing;
    outgoing.in_port = in_port;
    outgoing.actions = actions;
    outgoing.packet = make_packet(pool(), frame);
    REQUIRE(mailbox.send(std::move(outgoing)));
    CHECK(walk->packet_outs(plan, second) == 1);
    return collect();
}

std::vector<Event> Scene::events() {
    std::vector<Event> all;
    mailbox.take(1000, [&](Event& event) {
        all.push_back(event);
        event.packet = nullptr;
    });
    return all;
}

uint64_t Scene::dropped(Drop reason) const {
    uint64_t total = 0;
    for (PortNo port = 0; port < kMaxPorts; port++)
        total += tx.counters(port).drops[static_cast<unsigned>(reason)].get();
    return total;
}

namespace {

void write(FlowKey& key, const Field& field, uint64_t number) {
    write_field(field, read_field(field, key) | Wide{number} << field.shift, key);
}

const Field& field_of(std::string_view name) {
    const Field* field = find_field(name);
    REQUIRE_MESSAGE(field, name);
    return *field;
}

}  // namespace

Match match(std::initializer_list<std::pair<std::string_view, uint64_t>> fields) {
    Match made;
    for (const auto& [name, number] : fields) {
        const Field& field = field_of(name);
        write(made.value, field, number);
        of::operator|=(made.mask, mask_of(field));
    }
    return made;
}

of::Action set(std::string_view name, uint64_t number, uint64_t mask) {
    const Field& field = field_of(name);
    FlowKey value{}, wanted{};
    const Wide kept = (Wide{mask} | (field.bits > 64 ? ~Wide{0} << 64 : Wide{0})) & ones(field.bits);
    write_field(field, (Wide{number} & kept) << field.shift, value);
    write_field(field, kept << field.shift, wanted);
    of::SetField action{&field, {}, {}, of::SetField::Set};
    std::memcpy(action.value.data(), reinterpret_cast<const uint8_t*>(&value) + field.offset, field.bytes);
    std::memcpy(action.mask.data(), reinterpret_cast<const uint8_t*>(&wanted) + field.offset, field.bytes);
    return {action};
}

of::Action set(std::string_view name, const std::array<uint8_t, 16>& value) {
    of::SetField action{&field_of(name), value, {}, of::SetField::Set};
    action.mask.fill(0xff);
    return {action};
}

of::Bits bits(std::string_view name, uint16_t from, uint16_t n) { return {&field_of(name), from, n}; }

}  // namespace turnout::test
