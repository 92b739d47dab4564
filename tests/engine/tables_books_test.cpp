// SPDX-License-Identifier: Apache-2.0
// Groups, meters, bundles and statistics, from the text of OpenFlow 1.3.5, 6.5 and 6.7, and 1.4, 6.8.
#include <doctest/doctest.h>

#include "engine/openflow/programs.hpp"
#include "tests/engine/tables_fixture.hpp"

using namespace turnout;
using namespace turnout::of;
using namespace turnout::of::test;

namespace {

Wire bundled(const Bench& bench, Tables& tables, const std::vector<Wire>& messages) {
    std::vector<Bytes> wires(messages.begin(), messages.end());
    return tables.commit(wires, bench.session);
}

// The entries of a multipart reply of one message.
Wire body(const std::vector<Wire>& replies) {
    REQUIRE(replies.size() == 1);
    REQUIRE(replies[0].size() >= 16);
    CHECK(replies[0][1] == 19);
    return {replies[0].begin() + 16, replies[0].end()};
}

}  // namespace

TEST_CASE("each error of a group_mod, and nothing has changed") {
    Bench bench;
    const auto error = [&](const Wire& mod) {
        const Groups* before = bench.pipeline().groups.load();
        const auto got = bench.send(mod);
        CHECK(bench.pipeline().groups.load() == before);
        return got;
    };
    CHECK_FALSE(bench.send(group_mod(GroupMod::Add, Group::All, 1, {{}})));
    CHECK(error(group_mod(GroupMod::Add, Group::All, 1, {{}})) == error::kGroupExists);
    CHECK(error(group_mod(GroupMod::Modify, Group::All, 2, {{}})) == error::kUnknownGroup);
    CHECK(error(group_mod(GroupMod::Add, Group::All, 0xffffff01, {{}})) == error::kInvalidGroup);
    CHECK(error(group_mod(GroupMod::Add, Group::Indirect, 2, {{}, {}})) == error::kInvalidGroup);
    CHECK(error(group_mod(GroupMod::Add, Group::Indirect, 2)) == error::kInvalidGroup);
    CHECK(error(group_mod(GroupMod::Add, Group::FastFailover, 2, {{}})) == error::kInvalidGroup);
    CHECK(error(group_mod(GroupMod::Add, 9, 2, {{}})) == error::kGroupType);
    CHECK(error(group_mod(99, Group::All, 2, {{}})) == error::kGroupCommand);
    CHECK(error(group_mod(GroupMod::Add, Group::All, 2, {{to_group(2)}})) == error::kGroupLoop);
    CHECK_FALSE(bench.send(group_mod(GroupMod::Add, Group::All, 2, {{to_group(1)}})));
    CHECK_FALSE(bench.send(group_mod(GroupMod::Add, Group::All, 3, {{to_group(2)}})));
    CHECK(error(group_mod(GroupMod::Modify, Group::All, 1, {{to_group(3)}})) == error::kGroupLoop);
    CHECK_FALSE(error(group_mod(GroupMod::Delete, Group::All, 77)));  // there is none: no error
}

TEST_CASE("a group that is modified keeps its count, its buckets start anew; other groups are not touched") {
    Bench bench;
    bench.send(group_mod(GroupMod::Add, Group::Select, 1, {{output(1), 1}, {output(2), 3}}));
    bench.send(group_mod(GroupMod::Add, Group::All, 2, {{}}));
    bench.send(flow_mod({.instructions = apply(to_group(1))}));
    const auto group = [&](uint32_t id) { return bench.pipeline().groups.load()->at(id); };
    const auto first = group(1), other = group(2);
    bench.host.tallies[first->tally].packets = 5;
    bench.host.tallies[first->buckets[1].tally].packets = 4;
    bench.host.pass(3);

    const auto stats = [&] { return body(bench.tables.statistics(multipart(6, Builder{}.u32(1).zeros(4).bytes), {})); };
    CHECK(stats() ==
          Builder{}.u16(72).zeros(2).u32(1).u32(1).zeros(4).u64(5).u64(0).u32(3).u32(0).zeros(16).u64(4).u64(0).bytes);
    CHECK_FALSE(bench.send(group_mod(GroupMod::Modify, Group::All, 1, {{output(3)}})));
    CHECK(group(1)->type == Group::All);
    CHECK(group(1)->tally == first->tally);
    CHECK(group(2) == other);
    CHECK(bench.host.tallies.at(group(1)->buckets[0].tally).packets == 0);
    CHECK(stats() == Builder{}.u16(56).zeros(2).u32(1).u32(1).zeros(4).u64(5).u64(0).u32(3).u32(0).zeros(16).bytes);
    CHECK(bench.flows().size() == 1);
}

TEST_CASE("deleting a group or a meter deletes the flows that use it and no other") {
    Bench bench;
    for (uint32_t id : {1, 2}) {
        bench.send(group_mod(GroupMod::Add, Group::All, id, {{}}));
        bench.send(meter_mod(MeterMod::Add, id));
        bench.send(flow_mod({.priority = static_cast<uint16_t>(id), .instructions = apply(to_group(id))}));
        bench.send(flow_mod({.priority = static_cast<uint16_t>(id + 10), .instructions = meter(id)}));
    }
    bench.send(flow_mod({.priority = 20}));
    CHECK(bench.flows().size() == 5);
    bench.send(group_mod(GroupMod::Delete, 0, 1));
    CHECK(bench.flows().size() == 4);
    CHECK(bench.flow(2).priority == 2);
    bench.send(meter_mod(MeterMod::Delete, 2, 0));
    CHECK(bench.flows().size() == 3);
    CHECK(bench.flow(11).priority == 11);
    bench.send(group_mod(GroupMod::Delete, 0, kAllGroups));
    bench.send(meter_mod(MeterMod::Delete, ~uint32_t{0}, 0));
    CHECK(bench.flows().size() == 1);
    CHECK(bench.pipeline().groups.load()->empty());
    CHECK(bench.pipeline().meters.load()->empty());
}

TEST_CASE("each error of a meter_mod") {
    Bench bench;
    CHECK_FALSE(bench.send(meter_mod(MeterMod::Add, 1)));
    CHECK(bench.send(meter_mod(MeterMod::Add, 1)) == error::kMeterExists);
    CHECK(bench.send(meter_mod(MeterMod::Modify, 2)) == error::kUnknownMeter);
    CHECK(bench.send(meter_mod(MeterMod::Add, 0)) == error::kInvalidMeter);
    CHECK(bench.send(meter_mod(MeterMod::Add, 0xffff0001)) == error::kInvalidMeter);
    CHECK(bench.send(meter_mod(MeterMod::Add, 2, 9)) == error::kOutOfBands);
    CHECK(bench.send(meter_mod(7, 2)) == error::kMeterCommand);
    CHECK_FALSE(bench.send(meter_mod(MeterMod::Delete, 9, 0)));
    CHECK_FALSE(bench.send(meter_mod(MeterMod::Modify, 1, 2, MeterConfig::kPktps)));
    CHECK(bench.pipeline().meters.load()->at(1)->config.bands.size() == 2);
    CHECK(body(bench.tables.statistics(multipart(10, Builder{}.u32(1).zeros(4).bytes), {})) == Builder{}
                                                                                                   .u16(40)
                                                                                                   .u16(2)
                                                                                                   .u32(1)
                                                                                                   .u16(1)
                                                                                                   .u16(16)
                                                                                                   .u32(1000)
                                                                                                   .u32(0)
                                                                                                   .zeros(4)
                                                                                                   .u16(1)
                                                                                                   .u16(16)
                                                                                                   .u32(2000)
                                                                                                   .u32(0)
                                                                                                   .zeros(4)
                                                                                                   .bytes);
    CHECK(first_error(bench.tables.statistics(multipart(10, Builder{}.u32(5).zeros(4).bytes), {})[0]) ==
          error::kUnknownMeter);
}

TEST_CASE("a bundle is one version, or nothing and the error of the message that failed") {
    Bench bench;
    bench.send(group_mod(GroupMod::Add, Group::All, 1, {{}}));
    bench.send(meter_mod(MeterMod::Add, 1));
    bench.send(flow_mod({.priority = 1, .match = in_port(1), .cookie = 11, .idle = 5}));
    bench.send(flow_mod({.priority = 2, .match = in_port(2), .instructions = apply(to_group(1)), .hard = 9}));
    bench.send(flow_mod({.priority = 3, .match = in_port(3), .instructions = meter(1)}));
    bench.count(1, in_port(1), 42);
    bench.tables.monitor(true);
    bench.tables.take_events();
    const auto state = [&] {
        std::map<uint16_t, std::tuple<uint64_t, uint64_t, uint16_t, uint16_t, const Program*>> flows;
        for (const FlowStats& f : bench.flows()) flows[f.priority] = {f.cookie, f.packets, f.idle, f.hard, f.program};
        return flows;
    };
    const auto before = state();
    const auto groups = *bench.pipeline().groups.load();
    const size_t tallies = bench.host.tallies.size();
    std::vector<Wire> messages{
        flow_mod({.priority = 4, .match = in_port(4)}),
        flow_mod({.priority = 1,
                  .match = in_port(1),
                  .instructions = apply(output(9)),
                  .cookie = 12,
                  .flags = FlowMod::kResetCounts}),
        flow_mod({.command = FlowMod::Modify, .match = in_port(2), .instructions = apply(output(9))}),
        flow_mod({.command = FlowMod::Modify, .match = in_port(2), .flags = FlowMod::kResetCounts}),
        flow_mod({.command = FlowMod::Delete, .match = in_port(1)}),
        flow_mod({.priority = 1, .match = in_port(1)}),
        group_mod(GroupMod::Delete, 0, 1),
        meter_mod(MeterMod::Delete, 1, 0),
        packet_out(1, output(2)),
        flow_mod({.command = FlowMod::Delete}),
        flow_mod({.priority = 8, .match = in_port(8)}),
        flow_mod({.table = 254, .match = in_port(4), .xid = 4321}),
    };
    const Wire reply = bundled(bench, bench.tables, messages);
    CHECK(first_error(reply) == error::kFlowTable);
    CHECK(be32(&reply[4]) == 4321);
    CHECK(state() == before);
    CHECK(*bench.pipeline().groups.load() == groups);
    CHECK(bench.pipeline().meters.load()->size() == 1);
    CHECK(bench.host.packets.empty());
    CHECK(bench.tables.take_events().empty());
    CHECK(bench.host.tallies.size() == tallies);
    bench.host.pass(10);
    bench.tables.expire();
    CHECK(bench.flows().size() == 1);  // timeouts hold on

    messages.pop_back();
    const Version version = bench.pipeline().version.load();
    CHECK(bundled(bench, bench.tables, messages).empty());
    CHECK(bench.pipeline().version.load() == version + 1);
    CHECK(bench.flows().size() == 1);
    CHECK(bench.flows()[0].priority == 8);
    CHECK(bench.host.packets == std::vector<uint32_t>{1});
    CHECK(bench.pipeline().groups.load()->empty());
    // What cannot be bundled is refused.
    CHECK(first_error(bundled(bench, bench.tables, {barrier()})) == error::kRequestType);
}

TEST_CASE("statistics of many flows come in messages of less than 64 KiB, all but the last marked") {
    Bench bench;
    Wire run;
    for (uint32_t i = 0; i < 3000; i++) append(run, flow_mod({.match = ip_to(0x0a000000 + i), .cookie = i}));
    CHECK_FALSE(bench.send(run));
    const Wire request = multipart(
        1, Builder{}.u8(kAllTables).zeros(3).u32(kPortAny).u32(kAnyGroup).zeros(20).u16(1).u16(4).zeros(4).bytes);
    const auto replies = bench.tables.statistics(request, bench.session);
    REQUIRE(replies.size() > 3);
    size_t flows = 0;
    for (const Wire& reply : replies) {
        CHECK(reply.size() <= 65535);
        CHECK(be16(&reply[2]) == reply.size());
        CHECK(be32(&reply[4]) == 12);
        CHECK(be16(&reply[8]) == 1);
        CHECK(be16(&reply[10]) == (&reply == &replies.back() ? 0 : 1));
        for (size_t at = 16; at < reply.size(); at += be16(&reply[at])) flows++;
    }
    CHECK(flows == 3000);

    // Aggregate, and of each table.
    Wire aggregate = request;
    aggregate[9] = 2;
    CHECK(body(bench.tables.statistics(aggregate, bench.session)) == Builder{}.zeros(16).u32(3000).zeros(4).bytes);
    const Wire counts = body(bench.tables.statistics(multipart(3), bench.session));
    CHECK(counts.size() == 24 * kTables);
    CHECK(be32(&counts[4]) == 3000);
    CHECK(first_error(bench.tables.statistics(multipart(99), bench.session)[0]) == error::kRequestStat);
    CHECK(first_error(bench.tables.statistics(multipart(6), bench.session)[0]) == error::kRequestLen);
    CHECK(first_error(bench.tables.statistics(multipart(1), bench.session)[0]).has_value());
}

TEST_CASE("a packet learns a flow; learning it again renews it, or moves it; FIN shortens its life") {
    Bench bench;
    const Field* dst = find_field("eth_dst");
    const Field* src = find_field("eth_src");
    const Field* port = find_field("in_port");
    REQUIRE((dst && src && port));
    Learn learn{};
    learn.hard = 10, learn.priority = 7, learn.cookie = 99, learn.table = 1;
    learn.specs.push_back({Learn::Spec::Match, true, {src, 0, 48}, {}, {dst, 0, 48}});
    learn.specs.push_back({Learn::Spec::Output, true, {port, 0, 32}, {}, {nullptr, 0, 32}});
    FlowKey key{};
    key.eth.src = {{2, 0, 0, 0, 0, 5}};
    key.arrival.in_port = Be32::of(3);
    bench.tables.learn(learn, key);
    REQUIRE(bench.flows().size() == 1);
    const FlowStats made = bench.flows()[0];
    CHECK(made.table == 1);
    CHECK(made.priority == 7);
    CHECK(made.cookie == 99);
    CHECK(made.hard == 10);
    CHECK(made.match.value.eth.dst == key.eth.src);
    CHECK(bench.port_of(7) == 3);

    bench.host.pass(8);
    bench.tables.learn(learn, key);
    bench.host.pass(8);
    bench.tables.expire();
    CHECK(bench.flows().size() == 1);
    key.arrival.in_port = Be32::of(4);  // the station moved
    bench.tables.learn(learn, key);
    CHECK(bench.flows().size() == 1);
    CHECK(bench.port_of(7) == 4);

    FlowKey packet{};
    packet.eth.dst = key.eth.src;
    Flow* flow = bench.tables.lookup(1, packet);
    REQUIRE(flow);
    bench.tables.fin_timeout(flow, 0, 2);
    bench.host.pass(3);
    bench.tables.expire();
    CHECK(bench.flows().empty());
    CHECK(bench.tables.lookup(1, packet) == nullptr);
}

TEST_CASE("what was learned with delete_learned goes with the last flow that learns it") {
    Bench bench;
    const Wire learn = Builder{}
                           .u16(0xffff)
                           .u16(32)
                           .u32(kNiciraVendor)
                           .u16(16)
                           .zeros(4)
                           .u16(1)
                           .u64(5)
                           .u16(kDeleteLearned)
                           .u8(1)
                           .zeros(5)
                           .bytes;
    bench.send(flow_mod({.priority = 1, .match = in_port(1), .instructions = apply(learn)}));
    bench.send(flow_mod({.priority = 2, .match = in_port(2), .instructions = apply(learn)}));
    bench.send(flow_mod({.table = 1, .priority = 3, .cookie = 5}));
    bench.send(flow_mod({.table = 1, .priority = 4, .cookie = 6}));
    CHECK(bench.flows().size() == 4);
    bench.send(flow_mod({.command = FlowMod::Delete, .match = in_port(1)}));
    CHECK(bench.flows().size() == 3);
    bench.send(flow_mod({.command = FlowMod::Modify, .match = in_port(2)}));
    REQUIRE(bench.flows().size() == 2);
    CHECK(bench.flow(2).priority == 2);
    CHECK(bench.flow(4).cookie == 6);
}
