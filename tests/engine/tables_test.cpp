// SPDX-License-Identifier: Apache-2.0
// Flows: what flow_mod means, from the text of OpenFlow 1.3.5, 6.4, and what each of its errors is for.
#include "engine/openflow/tables.hpp"

#include <doctest/doctest.h>

#include "tests/engine/tables_fixture.hpp"

using namespace turnout;
using namespace turnout::of;
using namespace turnout::of::test;

TEST_CASE("a flow is added, found by the next version, replaced, and keeps its counters unless they are reset") {
    Bench bench;
    const Version before = bench.pipeline().version.load();
    CHECK(bench.send(flow_mod({.match = in_port(1), .cookie = 5})) == std::nullopt);
    CHECK(bench.pipeline().version.load() == before + 1);
    REQUIRE(bench.flows().size() == 1);
    CHECK(bench.flows()[0].cookie == 5);
    CHECK(bench.flows()[0].priority == 0x8000);

    bench.count(0x8000, in_port(1), 10);
    bench.host.pass(2);
    CHECK_FALSE(bench.send(flow_mod({.match = in_port(1), .instructions = apply(output(2)), .cookie = 6})));
    REQUIRE(bench.flows().size() == 1);
    CHECK(bench.flows()[0].cookie == 6);
    CHECK(bench.flows()[0].packets == 10);
    CHECK(bench.flows()[0].age_ns == 0);  // "including its duration"
    CHECK_FALSE(bench.send(flow_mod({.match = in_port(1), .flags = FlowMod::kResetCounts})));
    CHECK(bench.flows()[0].packets == 0);
}

TEST_CASE("one run of messages is one version; a packet-out and a barrier see what came before them") {
    Bench bench;
    const Version before = bench.pipeline().version.load();
    Wire run;
    for (uint32_t port = 1; port <= 100; port++) append(run, flow_mod({.match = in_port(port)}));
    CHECK_FALSE(bench.send(run));
    CHECK(bench.pipeline().version.load() == before + 1);
    CHECK(bench.host.waits == 0);

    run = flow_mod({.match = in_port(101)});
    append(run, packet_out(3, output(1)));
    append(run, flow_mod({.match = in_port(102)}));
    append(run, barrier(77));
    append(run, message(kOf13, 2, 1, {}));  // an echo request: not for tables
    append(run, flow_mod({.match = in_port(103)}));
    const Received received = bench.tables.receive(run, bench.session);
    CHECK(received.consumed == run.size() - 8 - flow_mod({.match = in_port(103)}).size());
    CHECK(received.replies == message(kOf13, 21, 77, {}));
    CHECK(bench.pipeline().version.load() == before + 3);
    CHECK(bench.host.packets == std::vector<uint32_t>{3});
    CHECK(bench.host.waits == 1);
    CHECK(bench.flows().size() == 102);
}

TEST_CASE("an incomplete message is left for later") {
    Bench bench;
    Wire run = flow_mod({.match = in_port(1)});
    const size_t whole = run.size();
    append(run, flow_mod({.match = in_port(2)}));
    for (size_t n = 0; n <= run.size(); n++) {
        const Received received = bench.tables.receive(Bytes(run).first(n), bench.session);
        CHECK(received.consumed == (n < whole ? 0 : n < run.size() ? whole : run.size()));
        CHECK(received.replies.empty());
    }
}

TEST_CASE("modify changes the instructions of what it covers and nothing else; it adds nothing") {
    Bench bench;
    bench.send(flow_mod({.priority = 1, .match = ip_to(0x0a000001), .cookie = 1, .idle = 9}));
    bench.send(flow_mod({.priority = 2, .match = ip_to(0x0a000002), .cookie = 2}));
    bench.send(flow_mod({.priority = 3, .match = ip_to(0x0b000001), .cookie = 3}));
    bench.count(1, ip_to(0x0a000001), 4);
    CHECK_FALSE(bench.send(flow_mod({.command = FlowMod::Modify,
                                     .match = ip_to(0x0a000000, 8),
                                     .instructions = apply(output(5)),
                                     .cookie = 99,
                                     .idle = 1})));
    CHECK(bench.port_of(1) == 5);
    CHECK(bench.port_of(2) == 5);
    CHECK(bench.port_of(3) == 1);
    CHECK(bench.flow(1).cookie == 1);
    CHECK(bench.flow(1).idle == 9);
    CHECK(bench.flow(1).packets == 4);

    // Strict: this match and priority only.
    CHECK_FALSE(bench.send(flow_mod({.command = FlowMod::ModifyStrict,
                                     .priority = 2,
                                     .match = ip_to(0x0a000002),
                                     .instructions = apply(output(6)),
                                     .flags = FlowMod::kResetCounts})));
    CHECK(bench.port_of(1) == 5);
    CHECK(bench.port_of(2) == 6);
    bench.send(flow_mod({.command = FlowMod::ModifyStrict, .priority = 7, .match = ip_to(0x0a000002)}));
    bench.send(flow_mod({.command = FlowMod::Modify, .match = in_port(9)}));
    CHECK(bench.flows().size() == 3);
    // A cookie that is asked for must be the flow's.
    bench.send(flow_mod(
        {.command = FlowMod::Modify, .instructions = apply(output(8)), .cookie = 3, .cookie_mask = ~uint64_t{0}}));
    CHECK(bench.port_of(1) == 5);
    CHECK(bench.port_of(3) == 8);
}

TEST_CASE("delete takes what it covers, strict delete one flow, both filtered by cookie, port and group") {
    Bench bench;
    const auto fill = [&] {
        bench.send(flow_mod({.command = FlowMod::Delete, .table = kAllTables}));
        bench.send(group_mod(GroupMod::Delete, 0, kAllGroups));
        bench.send(group_mod(GroupMod::Add, Group::All, 1, {{}}));
        bench.send(flow_mod({.table = 0, .priority = 1, .match = ip_to(0x0a000001), .cookie = 0x11}));
        bench.send(flow_mod(
            {.table = 0, .priority = 2, .match = ip_to(0x0a000002), .instructions = apply(output(2)), .cookie = 0x21}));
        bench.send(flow_mod(
            {.table = 3, .priority = 3, .match = in_port(1), .instructions = apply(to_group(1)), .cookie = 0x12}));
    };
    const auto left = [&](const FlowModOf& what) {
        fill();
        CHECK(bench.flows().size() == 3);
        CHECK_FALSE(bench.send(flow_mod(what)));
        std::vector<uint16_t> priorities;
        for (const FlowStats& flow : bench.flows()) priorities.push_back(flow.priority);
        std::ranges::sort(priorities);
        return priorities;
    };
    using P = std::vector<uint16_t>;
    CHECK(left({.command = FlowMod::Delete}) == P{3});
    CHECK(left({.command = FlowMod::Delete, .table = kAllTables}) == P{});
    CHECK(left({.command = FlowMod::Delete, .match = ip_to(0x0a000000, 8)}) == P{3});
    CHECK(left({.command = FlowMod::Delete, .match = ip_to(0x0a000002)}) == P{1, 3});
    CHECK(left({.command = FlowMod::Delete, .table = kAllTables, .cookie = 0x10, .cookie_mask = 0xf0}) == P{2});
    CHECK(left({.command = FlowMod::Delete, .table = kAllTables, .out_port = 2}) == P{1, 3});
    CHECK(left({.command = FlowMod::Delete, .table = kAllTables, .out_group = 1}) == P{1, 2});
    CHECK(left({.command = FlowMod::DeleteStrict, .priority = 1, .match = ip_to(0x0a000001)}) == P{2, 3});
    CHECK(left({.command = FlowMod::DeleteStrict, .priority = 2, .match = ip_to(0x0a000001)}) == P{1, 2, 3});
    CHECK(left({.command = FlowMod::DeleteStrict, .table = kAllTables, .priority = 3, .match = in_port(1)}) == P{1, 2});
}

TEST_CASE("each error of a flow_mod: its type and code, and nothing has changed") {
    Bench bench;
    bench.send(flow_mod({.priority = 10, .match = ip_to(0x0a000000, 8)}));
    const auto error = [&](const FlowModOf& what) {
        const auto got = bench.send(flow_mod(what));
        CHECK(bench.flows().size() == 1);
        return got;
    };
    CHECK(error({.priority = 10, .match = ip_to(0x0a000001), .flags = FlowMod::kCheckOverlap}) == error::kOverlap);
    CHECK(error({.table = 254, .match = in_port(1)}) == error::kFlowTable);
    CHECK(error({.match = in_port(1), .buffer = 5}) == error::kBufferUnknown);
    CHECK(error({.match = in_port(1), .instructions = apply(to_group(4))}) == error::kActionOutGroup);
    CHECK(error({.match = in_port(1), .instructions = meter(4)}) == error::kInvalidMeter);
    CHECK(error({.table = 3, .match = in_port(1), .instructions = goto_table(3)}) == error::kInstTable);
    CHECK(error({.command = 9, .match = in_port(1)}) == error::kFlowCommand);
    bench.tables.configure(0, {.limit = 1, .evict = false, .name = "small"});
    CHECK(error({.match = in_port(1)}) == error::kTableFull);
    bench.session.may_write = false;
    CHECK(error({.match = in_port(1)}) == error::kIsSlave);
    CHECK(bench.error_of(group_mod(GroupMod::Add, Group::All, 1, {{}})) == error::kIsSlave);
    CHECK(bench.error_of(meter_mod(MeterMod::Add, 1)) == error::kIsSlave);
    CHECK(bench.error_of(packet_out(1, output(1))) == error::kIsSlave);
}

TEST_CASE("an error quotes the message and its xid, and what follows is carried out") {
    Bench bench;
    Wire run = flow_mod({.table = 254, .match = in_port(1), .xid = 1234});
    const Wire failing = run;
    append(run, flow_mod({.match = in_port(2)}));
    const Received received = bench.tables.receive(run, bench.session);
    CHECK(received.consumed == run.size());
    CHECK(received.replies == message(kOf13, 1, 1234, Builder{}.u16(5).u16(2).add(failing).bytes));
    CHECK(bench.flows().size() == 1);
}

TEST_CASE("the reserved flags and the same instructions: flows share their program") {
    Bench bench;
    for (uint32_t port = 1; port <= 3; port++) bench.send(flow_mod({.match = in_port(port)}));
    const auto flows = bench.flows();
    REQUIRE(flows.size() == 3);
    CHECK(flows[0].program == flows[1].program);
    CHECK(flows[0].program == flows[2].program);
    // Instructions that are good for one match are still checked for another: set_field(tcp_dst) needs TCP.
    const Wire set_tcp = apply(Builder{}.u16(25).u16(16).u32(0x80000000 | 14 << 9 | 2).u16(80).zeros(6).bytes);
    const Wire tcp = Builder{}.u32(0x80000a02).u16(0x0800).u32(0x80001401).u8(6).bytes;
    CHECK_FALSE(bench.send(flow_mod({.priority = 5, .match = tcp, .instructions = set_tcp})));
    CHECK(bench.error_of(flow_mod({.priority = 6, .match = in_port(1), .instructions = set_tcp})));
    CHECK(bench.flows().size() == 4);
    // goto is checked against the table of each flow.
    CHECK_FALSE(bench.send(flow_mod({.table = 1, .match = in_port(1), .instructions = goto_table(2)})));
    CHECK(bench.error_of(flow_mod({.table = 2, .match = in_port(1), .instructions = goto_table(2)})) ==
          error::kInstTable);
}

TEST_CASE("flow-removed: reasons, counters, and only for flows that ask") {
    Bench bench;
    bench.send(group_mod(GroupMod::Add, Group::All, 1, {{}}));
    bench.send(meter_mod(MeterMod::Add, 1));
    const auto add = [&](FlowModOf what) {
        what.flags |= FlowMod::kSendRemoved;
        CHECK_FALSE(bench.send(flow_mod(what)));
    };
    add({.priority = 1, .match = in_port(1), .idle = 2});
    add({.priority = 2, .match = in_port(1), .hard = 2});
    add({.priority = 3, .match = in_port(1)});
    add({.priority = 4, .match = in_port(1), .instructions = apply(to_group(1))});
    add({.priority = 5, .match = in_port(1), .instructions = meter(1)});
    bench.send(flow_mod({.priority = 6, .match = in_port(1), .hard = 1}));
    bench.count(3, in_port(1), 7);

    std::map<uint16_t, FlowEvent> removed;
    const auto take = [&] {
        for (FlowEvent& event : bench.tables.take_events()) {
            CHECK(event.kind == FlowEvent::Removed);
            removed.emplace(event.flow.priority, event);
        }
    };
    bench.host.pass(1.5);
    bench.count(1, in_port(1), 1);  // used: lives on
    bench.tables.expire();
    CHECK(bench.tables.take_events().empty());
    CHECK(bench.flows().size() == 5);
    bench.host.pass(1.6);
    bench.tables.expire();
    bench.host.pass(1.5);
    bench.tables.expire();
    bench.send(flow_mod({.command = FlowMod::DeleteStrict, .priority = 3, .match = in_port(1), .xid = 55}));
    bench.send(group_mod(GroupMod::Delete, 0, 1));
    bench.send(meter_mod(MeterMod::Delete, 1));
    take();
    CHECK(bench.flows().empty());
    REQUIRE(removed.size() == 5);
    CHECK(removed.at(1).flow.reason == 0);
    CHECK(removed.at(1).flow.packets == 1);
    CHECK(removed.at(1).session == 0);
    CHECK(removed.at(2).flow.reason == 1);
    CHECK(removed.at(3).flow.reason == 2);
    CHECK(removed.at(3).flow.packets == 7);
    CHECK(removed.at(3).xid == 55);
    CHECK(removed.at(3).session == bench.session.id);
    CHECK(removed.at(4).flow.reason == 3);
    CHECK(removed.at(5).flow.reason == 4);
    CHECK(removed.at(5).program->meter == 1);
}

TEST_CASE("a monitor hears of additions, modifications and removals, not of modifications that change nothing") {
    Bench bench;
    bench.tables.monitor(true);
    bench.send(flow_mod({.match = in_port(1)}));
    bench.send(flow_mod({.command = FlowMod::Modify, .match = in_port(1)}));
    bench.send(flow_mod({.command = FlowMod::Modify, .match = in_port(1), .instructions = apply(output(4))}));
    bench.send(flow_mod({.command = FlowMod::Delete}));
    const auto events = bench.tables.take_events();
    REQUIRE(events.size() == 3);
    CHECK(events[0].kind == FlowEvent::Added);
    CHECK(events[1].kind == FlowEvent::Modified);
    CHECK(events[2].kind == FlowEvent::Removed);
    CHECK(bench.tables.take_events().empty());
    bench.tables.monitor(false);
    bench.send(flow_mod({.match = in_port(1)}));
    CHECK(bench.tables.take_events().empty());
}

TEST_CASE("a full table evicts, if it may, the least important flows and then those that would expire first") {
    Bench bench;
    bench.session.version = kOf14;
    bench.tables.configure(0, {.limit = 3, .evict = true, .name = "t"});
    const auto add = [&](uint16_t priority, uint16_t importance, uint16_t hard) {
        return bench.send(flow_mod({.priority = priority,
                                    .match = in_port(1),
                                    .hard = hard,
                                    .flags = FlowMod::kSendRemoved,
                                    .importance = importance,
                                    .version = kOf14}));
    };
    add(1, 5, 100), add(2, 1, 200), add(3, 1, 100);
    const auto evicted = [&] {
        const auto events = bench.tables.take_events();
        REQUIRE(events.size() == 1);
        CHECK(events[0].flow.reason == 5);
        return events[0].flow.priority;
    };
    CHECK_FALSE(add(4, 9, 0));
    CHECK(evicted() == 3);
    CHECK_FALSE(add(5, 9, 0));
    CHECK(evicted() == 2);
    CHECK_FALSE(add(6, 0, 0));
    CHECK(evicted() == 1);
    CHECK(add(7, 0, 9) == error::kTableFull);  // what is left has no timeouts
    bench.tables.configure(0, {.limit = 1, .evict = true, .name = "t"});
    bench.tables.expire();
    CHECK(bench.flows().size() == 3);
}

TEST_CASE("vacancy events come by turns as a table fills and empties") {
    Bench bench;
    bench.tables.configure(
        0, {.limit = 10, .evict = false, .name = "t", .vacancy = true, .vacancy_down = 20, .vacancy_up = 50});
    for (uint32_t port = 1; port <= 8; port++) bench.send(flow_mod({.match = in_port(port)}));
    CHECK(bench.tables.take_vacancies().empty());
    bench.send(flow_mod({.match = in_port(9)}));
    auto events = bench.tables.take_vacancies();
    REQUIRE(events.size() == 1);
    CHECK(events[0].reason == 3);
    CHECK(events[0].vacancy == 10);
    for (uint32_t port = 9; port >= 4; port--)
        bench.send(flow_mod({.command = FlowMod::Delete, .match = in_port(port)}));
    events = bench.tables.take_vacancies();
    REQUIRE(events.size() == 1);
    CHECK(events[0].reason == 4);
    CHECK(events[0].vacancy == 60);
}

TEST_CASE("what packets' keys are needed for grows before a rule that needs it, and shrinks when it has gone") {
    Bench bench;
    CHECK(bench.pipeline().reads.load()->depth == Depth::L2);
    bench.send(flow_mod({.match = ip_to(0x0a000001)}));
    CHECK(bench.pipeline().reads.load()->depth == Depth::L3);
    CHECK(bench.pipeline().reads.load()->mask.net.ipv4_dst.raw == ~uint32_t{0});
    bench.send(flow_mod({.command = FlowMod::Delete}));
    CHECK(bench.pipeline().reads.load()->depth == Depth::L3);
    bench.tables.expire();
    CHECK(bench.pipeline().reads.load()->depth == Depth::L2);
    CHECK(bench.host.waits == 1);
    bench.send(group_mod(GroupMod::Add, Group::Select, 1, {{}}));
    CHECK(bench.pipeline().reads.load()->depth == Depth::L4);
}

TEST_CASE("the NORMAL rule is known while it is alone") {
    Bench bench;
    CHECK(bench.pipeline().all_normal.load() == nullptr);
    bench.send(flow_mod({.priority = 0, .instructions = apply(output(kPortNormal))}));
    const Rule* rule = bench.pipeline().all_normal.load();
    REQUIRE(rule);
    CHECK(rule->priority == 0);
    bench.send(flow_mod({.match = in_port(1)}));
    CHECK(bench.pipeline().all_normal.load() == nullptr);
    bench.send(flow_mod({.command = FlowMod::Delete, .match = in_port(1)}));
    CHECK(bench.pipeline().all_normal.load() != nullptr);
    bench.send(flow_mod({.command = FlowMod::Modify, .instructions = apply(output(2))}));
    CHECK(bench.pipeline().all_normal.load() == nullptr);
    bench.send(flow_mod({.table = 1, .match = in_port(1)}));
    bench.send(flow_mod({.priority = 0, .instructions = apply(output(kPortNormal))}));
    CHECK(bench.pipeline().all_normal.load() != nullptr);  // nothing leads to table 1
    bench.tables.clear();
    CHECK(bench.pipeline().all_normal.load() == nullptr);
    CHECK(bench.flows().empty());
}
