// SPDX-License-Identifier: Apache-2.0
// The way through tables, ports, groups and meters (OpenFlow 1.3.5, sections 4.5, 5.4 to 5.10).
#include <doctest/doctest.h>
#include <rte_cycles.h>

#include "engine/act/metering.hpp"
#include "tests/engine/scene.hpp"

using namespace turnout;
using namespace turnout::test;
using namespace turnout::of;

namespace {

Program program(void (*fill)(Program&)) {
    Program made;
    fill(made);
    return made;
}

Program go(uint8_t table, Actions apply = {}) {
    Program made;
    made.apply = std::move(apply);
    made.has_goto = true;
    made.goto_table = table;
    return made;
}

Program writes(Actions write, int table = -1) {
    Program made;
    made.has_write = true;
    made.write = std::move(write);
    if (table >= 0) made.has_goto = true, made.goto_table = static_cast<uint8_t>(table);
    return made;
}

Action resubmit(uint8_t table) { return {Resubmit{kPortInPort, table, true}}; }
Action clone_of(Actions actions) { return {Clone{std::make_shared<const Actions>(std::move(actions))}}; }

const Bytes kPlain = frame({});
Bytes changed(void (*change)(Headers&)) {
    Headers headers;
    change(headers);
    return frame(headers);
}
const Bytes kTtl63 = changed([](Headers& h) { h.ttl = 63; });

Bucket bucket(uint32_t id, Actions actions, uint16_t weight = 1, uint32_t watch = kPortAny) {
    Bucket made;
    made.id = id;
    made.weight = weight;
    made.watch_port = watch;
    made.actions = std::move(actions);
    return made;
}

Group group_of(Group::Type type, std::vector<Bucket> buckets, uint32_t id = 1) {
    Group made;
    made.type = type;
    made.id = id;
    made.buckets = std::move(buckets);
    return made;
}

}  // namespace

TEST_CASE("output") {
    const NothingLost nothing_lost;
    Scene scene;
    const Rule* rule = scene.add(0, 5, match({{"in_port", 1}}), {output(2)});
    scene.add(0, 5, match({{"in_port", 2}}), {output(2)});
    scene.add(0, 5, match({{"in_port", 3}}), {{Output{kPortInPort, 0}}});
    scene.add(0, 5, match({{"in_port", 4}}), {output(1), output(2), output(kPortLocal)});
    scene.add(0, 5, match({{"in_port", 5}}), {output(77)});
    scene.add(0, 5, match({{"in_port", 6}}), Actions{});
    scene.add(0, 5, match({{"in_port", 8}}), {output(1), set("nw_ttl", 63), output(2), output(8), output(3)});

    CHECK(scene.forward(1, {kPlain, kPlain, kPlain}) == Frames{{2, {kPlain, kPlain, kPlain}}});
    CHECK(scene.tally(rule->tally).packets.get() == 3);
    CHECK(scene.tally(rule->tally).bytes.get() == 3 * kPlain.size());
    CHECK(scene.tally(scene.pipeline.looked_up[0]).packets.get() == 3);
    CHECK(scene.forward(2, kPlain).empty());
    CHECK(scene.dropped(Drop::SamePort) == 1);
    CHECK(scene.forward(3, kPlain) == Frames{{3, {kPlain}}});
    CHECK(scene.forward(4, kPlain) == Frames{{1, {kPlain}}, {2, {kPlain}}, {kLocalPort, {kPlain}}});
    CHECK(scene.forward(5, kPlain).empty());
    CHECK(scene.dropped(Drop::NoSuchPort) == 1);
    CHECK(scene.forward(6, kPlain).empty());
    CHECK(scene.dropped(Drop::ByRule) == 1);
    CHECK(scene.forward(7, kPlain).empty());
    CHECK(scene.dropped(Drop::NoRule) == 1);
    CHECK(scene.forward(8, kPlain) == Frames{{1, {kPlain}}, {2, {kTtl63}}, {3, {kTtl63}}});
    CHECK(scene.tally(scene.pipeline.matched[0]).packets.get() == 9);
    CHECK(scene.forward(1, Bytes(13)).empty());
    CHECK(scene.dropped(Drop::Runt) == 1);
}

TEST_CASE("reserved ports and port settings") {
    const NothingLost nothing_lost;
    Scene scene;
    scene.add(0, 5, match({{"in_port", 1}}), {output(kPortFlood)});
    scene.add(0, 5, match({{"in_port", 2}}), {output(kPortAll)});
    scene.add(0, 5, match({{"in_port", 3}}), {output(4)});
    scene.add(0, 5, match({{"in_port", 4}}), {output(kPortNormal)});
    scene.add(0, 5, match({{"in_port", 5}}), {output(kPortController)});
    scene.port(6).config = kNoFlood;
    scene.port(7).config = kNoFwd;
    scene.port(8).config = kPortDown;
    const std::vector<Bytes> one{kPlain};
    CHECK(scene.forward(1, kPlain) == Frames{{2, one}, {3, one}, {4, one}, {5, one}, {kLocalPort, one}});
    CHECK(scene.forward(2, kPlain) == Frames{{1, one}, {3, one}, {4, one}, {5, one}, {6, one}, {kLocalPort, one}});
    scene.port(4).config = kNoFwd;
    CHECK(scene.forward(3, kPlain).empty());
    CHECK(scene.dropped(Drop::PortNoFwd) == 1);
    scene.port(3).config = kNoRecv;
    CHECK(scene.forward(3, kPlain).empty());
    CHECK(scene.dropped(Drop::PortNoRecv) == 1);
    CHECK(scene.forward(4, kPlain) == Frames{{1, one}, {2, one}, {3, one}, {5, one}, {kLocalPort, one}});
}

TEST_CASE("NORMAL learns, and forwards to what it learned") {
    const NothingLost nothing_lost;
    Scene scene;
    scene.add(0, 0, {}, {output(kPortNormal)});
    const Bytes there = changed([](Headers& h) { h.dst = 2, h.src = 4; });
    const Bytes back = changed([](Headers& h) { h.dst = 4, h.src = 2; });
    CHECK(scene.forward(1, there).size() == Scene::kPorts);
    CHECK(scene.forward(2, back) == Frames{{1, {back}}});
    CHECK(scene.forward(1, there) == Frames{{2, {there}}});
    CHECK(scene.packet_out(kPortController, {output(kPortNormal)}, there) == Frames{{2, {there}}});
    scene.port(2).vlans = {VlanMode::Access, 7, nullptr};
    CHECK(scene.packet_out(kPortController, {output(kPortNormal)}, changed([](Headers& h) {
                               h.dst = 1, h.tags = {{0x8100, 7}};
                           }))[2] == std::vector<Bytes>{changed([](Headers& h) { h.dst = 1; })});
}

TEST_CASE("goto, write, clear, metadata") {
    const NothingLost nothing_lost;
    Scene scene;
    scene.add(0, 1, match({{"in_port", 1}}), go(5, {set("nw_ttl", 63)}));
    scene.add(5, 1, match({{"nw_ttl", 63}}), {output(2)});

    scene.add(0, 1, match({{"in_port", 2}}), program([](Program& p) {
                  p.has_metadata = true;
                  p.metadata = Be64::of(0x1200);
                  p.metadata_mask = Be64::of(0xff00);
                  p.has_goto = true;
                  p.goto_table = 1;
              }));
    scene.add(1, 1, match({{"metadata", 0x1200}}), writes({output(3)}, 2));
    scene.add(2, 1, match({{"metadata", 0x1200}}), writes({{DecTtl{}}}));
    // The standard's order, whatever the order of writing; a later action takes the place of an earlier one.
    scene.add(0, 1, match({{"in_port", 3}}),
              writes({output(4),
                      set("vlan_vid", 0x1000 | 7),
                      output(5),
                      {PushVlan{Be16::of(0x8100)}},
                      set("vlan_vid", 0x1000 | 9)}));
    scene.add(0, 1, match({{"in_port", 4}}), writes({output(5)}, 9));
    scene.add(9, 1, {}, program([](Program& p) {
                  p.clear = true;
                  p.has_write = true;
                  p.write = {output(6)};
                  p.apply = {output(7)};
              }));
    scene.add(0, 1, match({{"in_port", 5}}), writes({output(2)}, 10));  // to a miss
    scene.add(0, 1, match({{"in_port", 6}}), program([](Program& p) {
                  p.apply = {{Exit{}}, output(3)};
                  p.has_goto = true;
                  p.goto_table = 5;
              }));

    CHECK(scene.forward(1, {kPlain, kPlain}) == Frames{{2, {kTtl63, kTtl63}}});
    CHECK(scene.forward(2, kPlain) == Frames{{3, {kTtl63}}});
    CHECK(scene.forward(3, kPlain) == Frames{{5, {changed([](Headers& h) { h.tags = {{0x8100, 9}}; })}}});
    CHECK(scene.forward(4, kPlain) == Frames{{6, {kPlain}}, {7, {kPlain}}});
    CHECK(scene.forward(5, kPlain).empty());
    CHECK(scene.dropped(Drop::NoRule) == 1);
    CHECK(scene.forward(6, kPlain).empty());
    CHECK(scene.tally(scene.pipeline.looked_up[5]).packets.get() == 2);
}

TEST_CASE("a burst of packets that go different ways") {
    const NothingLost nothing_lost;
    Scene scene;
    for (uint16_t port = 0; port < 8; port++) {
        scene.add(0, 1, match({{"eth_type", 0x800}, {"nw_proto", 17}, {"udp_src", port}}),
                  go(static_cast<uint8_t>(1 + port)));
        scene.add(static_cast<uint8_t>(1 + port), 1, {}, port % 2 ? go(100, {set("udp_dst", port)}) : go(100));
        scene.add(100, 2, match({{"eth_type", 0x800}, {"nw_proto", 17}, {"udp_dst", port}}), {output(3)});
    }
    scene.add(100, 1, {}, {output(2)});
    std::vector<Bytes> burst;
    Frames expected;
    for (unsigned i = 0; i < kBurst; i++) {
        Headers headers{.sport = static_cast<uint16_t>(i * 5 % 8)};
        burst.push_back(frame(headers));
        const bool odd = headers.sport % 2;
        if (odd) headers.dport = headers.sport;
        expected[odd ? 3 : 2].push_back(frame(headers));
    }
    CHECK(scene.forward(1, burst) == expected);
}

TEST_CASE("resubmit") {
    const NothingLost nothing_lost;
    Scene scene;
    scene.add(0, 1, match({{"in_port", 1}}), {set("reg0", 7), resubmit(1), output(3)});
    scene.add(1, 1, match({{"reg0", 7}}), {set("nw_ttl", 63), output(2)});
    // in_port counts for the lookup alone
    scene.add(0, 1, match({{"in_port", 2}}), {{Resubmit{5, 0, false}}});
    scene.add(0, 1, match({{"in_port", 5}}), {output(5)});
    scene.add(0, 1, match({{"in_port", 3}}), {resubmit(20)});  // forever
    scene.add(20, 1, {}, {output(6), resubmit(20)});
    scene.add(0, 1, match({{"in_port", 4}}), {resubmit(30), resubmit(31), output(4 + 1)});  // exit ends all
    scene.add(30, 1, {}, {output(7)});
    scene.add(31, 1, {}, {{Exit{}}});
    scene.add(0, 1, match({{"in_port", 6}}), {{StackPush{bits("eth_src", 0, 48)}}, resubmit(40)});
    scene.add(40, 1, {}, go(41));
    scene.add(41, 1, {}, {{StackPop{bits("eth_dst", 0, 48)}}, output(1)});
    scene.add(0, 1, match({{"in_port", 7}}), {resubmit(200), output(1)});  // a miss within

    CHECK(scene.forward(1, kPlain) == Frames{{2, {kTtl63}}, {3, {kTtl63}}});
    CHECK(scene.forward(2, kPlain) == Frames{{5, {kPlain}}});
    CHECK(scene.forward(3, kPlain)[6].size() < 64);
    CHECK(scene.dropped(Drop::TooManyResubmits) == 1);
    CHECK(scene.forward(4, kPlain) == Frames{{7, {kPlain}}});
    CHECK(scene.forward(6, kPlain) == Frames{{1, {changed([](Headers& h) { h.dst = h.src; })}}});
    CHECK(scene.forward(7, kPlain) == Frames{{1, {kPlain}}});
}

TEST_CASE("a rule that resubmits twice, 64 deep, ends") {
    const NothingLost nothing_lost;
    Scene scene;
    scene.add(0, 1, {}, {resubmit(0), resubmit(0), output(2)});
    CHECK(scene.forward(1, kPlain).empty());
    CHECK(scene.dropped(Drop::TooManyResubmits) == 1);
}

TEST_CASE("clone leaves packet and key as they were") {
    const NothingLost nothing_lost;
    Scene scene;
    scene.add(0, 1, {},
              {set("nw_ttl", 63), clone_of({set("ip_src", 1), {PushVlan{Be16::of(0x8100)}}, output(2)}), output(3)});
    const Bytes cloned = changed([](Headers& h) { h.ttl = 63, h.ip_src = 1, h.tags = {{0x8100, 0}}; });
    CHECK(scene.forward(1, kPlain) == Frames{{2, {cloned}}, {3, {kTtl63}}});
}

TEST_CASE("groups") {
    const NothingLost nothing_lost;
    Scene scene;
    for (uint32_t i = 1; i <= 6; i++) scene.add(0, 1, match({{"in_port", i}}), {{ToGroup{i}}, output(8)});
    scene.group(group_of(
        Group::All, {bucket(1, {set("nw_ttl", 63), output(2)}), bucket(2, {output(3)}), bucket(3, {output(1)})}, 1));
    scene.group(group_of(Group::Indirect, {bucket(1, {{DecTtl{}}, output(3)})}, 2));
    scene.group(group_of(Group::FastFailover, {bucket(1, {output(4)}, 0, 4), bucket(2, {output(5)}, 0, 5)}, 3));
    scene.group(group_of(Group::All, {bucket(1, {{ToGroup{2}}}), bucket(2, {{ToGroup{3}}})}, 4));  // chained
    Bucket watching = bucket(1, {output(1)});
    watching.watch_group = 3;
    scene.group(group_of(Group::FastFailover, {watching, bucket(2, {output(2)})}, 5));
    const std::vector<Bytes> one{kPlain};

    CHECK(scene.forward(1, kPlain) == Frames{{2, {kTtl63}}, {3, one}, {8, one}});
    CHECK(scene.forward(2, kPlain) == Frames{{3, {kTtl63}}, {8, one}});
    CHECK(scene.forward(3, kPlain) == Frames{{4, one}, {8, one}});
    CHECK(scene.forward(4, kPlain) == Frames{{3, {kTtl63}}, {8, one}});  // back to port 4: no
    CHECK(scene.forward(5, kPlain) == Frames{{1, one}, {8, one}});
    scene.wire(4).set_up(false);
    CHECK(scene.forward(3, kPlain) == Frames{{5, one}, {8, one}});
    scene.wire(5).set_up(false);
    CHECK(scene.forward(3, kPlain) == Frames{{8, one}});
    CHECK(scene.forward(5, kPlain) == Frames{{2, one}, {8, one}});
    CHECK(scene.forward(6, kPlain) == Frames{{8, one}});  // no such group
}

TEST_CASE("a group that comes last leaves the packet as it was for an action set written within") {
    const NothingLost nothing_lost;
    Scene scene;
    scene.group(group_of(Group::Indirect, {bucket(1, {{DecTtl{}}, output(3)})}, 2));
    scene.add(0, 1, {}, {resubmit(3), {ToGroup{2}}});
    scene.add(3, 1, {}, writes({{ToGroup{2}}}));
    CHECK(scene.forward(1, kPlain) == Frames{{3, {kTtl63, kTtl63}}});
}

TEST_CASE("select: by weight and flow; a dead bucket's flows move, the others stay") {
    const NothingLost nothing_lost;
    Scene scene;
    scene.add(0, 1, {}, {{ToGroup{1}}});
    scene.group(group_of(Group::Select, {bucket(1, {output(2)}, 1, 2), bucket(2, {output(3)}, 2, 3),
                                         bucket(3, {output(4)}, 5, 4), bucket(4, {output(5)}, 0)}));
    const auto ports = [&] {
        std::vector<uint32_t> chosen;
        for (uint16_t i = 0; i < 4000; i++) {
            const Frames sent = scene.forward(1, frame({.sport = i}));
            REQUIRE(sent.size() == 1);
            chosen.push_back(sent.begin()->first);
        }
        return chosen;
    };
    const std::vector<uint32_t> before = ports();
    const auto share = [&](uint32_t port) { return static_cast<double>(std::ranges::count(before, port)) / 4000; };
    CHECK(share(2) == doctest::Approx(1. / 8).epsilon(0.15));
    CHECK(share(3) == doctest::Approx(2. / 8).epsilon(0.15));
    CHECK(share(4) == doctest::Approx(5. / 8).epsilon(0.15));
    CHECK(share(5) == 0);
    CHECK(ports() == before);
    scene.wire(3).set_up(false);
    const std::vector<uint32_t> after = ports();
    for (size_t i = 0; i < before.size(); i++) CHECK((before[i] == 3 ? after[i] != 3 : after[i] == before[i]));
}

TEST_CASE("packet-ins") {
    const NothingLost nothing_lost;
    Scene scene;
    const Bytes expired = changed([](Headers& h) { h.ttl = 1; });
    auto userdata = std::make_shared<const std::vector<uint8_t>>(3, uint8_t{9});
    scene.add(0, 5, match({{"in_port", 1}}), {set("reg2", 5), set("nw_ttl", 63), {Output{kPortController, 20}}});
    scene.add(0, 5, match({{"in_port", 2}}), {{Controller{40, 7, 0, -1, userdata}}, output(3)});
    scene.add(0, 5, match({{"in_port", 3}}), {{DecTtl{}}, output(1)});
    scene.add(0, 5, match({{"in_port", 4}}), writes({output(kPortController)}));
    scene.add(0, 0, {}, {{Output{kPortController, 0xffff}}});
    const auto check = [&](uint32_t in_port, const Bytes& frame, Reason reason, const Bytes& expected) {
        CAPTURE(in_port);
        const Frames sent = scene.forward(in_port, frame);
        const std::vector<Event> events = scene.events();
        REQUIRE(events.size() == 1);
        CHECK(events[0].kind == Event::PacketIn);
        CHECK(events[0].reason == reason);
        CHECK(events[0].key.arrival.in_port.host() == in_port);
        CHECK(events[0].total_len == frame.size());
        CHECK(bytes(events[0].packet) == expected);
        rte_pktmbuf_free(events[0].packet);
        return std::pair(sent, events[0]);
    };
    // Whole, whatever max_len says: nothing is kept here that a controller could ask for later.
    CHECK(check(1, kPlain, Reason::Action, kTtl63).second.key.reg[2].host() == 5);
    const auto [sent, event] = check(2, kPlain, Reason::NoMatch, kPlain);
    CHECK(sent == Frames{{3, {kPlain}}});
    CHECK(event.controller == 7);
    CHECK(event.userdata == userdata);
    check(3, expired, Reason::InvalidTtl, expired);
    CHECK(scene.dropped(Drop::TtlExpired) == 1);
    check(4, kPlain, Reason::ActionSet, kPlain);
    check(5, kPlain, Reason::ExplicitMiss, kPlain);
    CHECK(scene.dropped(Drop::ByRule) == 0);
}

TEST_CASE("a table miss goes to the controller where OpenFlow 1.0 wants it") {
    const NothingLost nothing_lost;
    Scene scene;
    scene.pipeline.miss_to_controller[0] = 1;
    scene.pipeline.miss_send_len = 30;
    CHECK(scene.forward(1, kPlain).empty());
    const std::vector<Event> events = scene.events();
    REQUIRE(events.size() == 1);
    CHECK(events[0].reason == Reason::NoMatch);
    CHECK(events[0].packet->pkt_len == kPlain.size());
    CHECK(events[0].max_len == 30);
    CHECK(events[0].cookie == ~uint64_t{0});
    rte_pktmbuf_free(events[0].packet);
    scene.port(1).config = kNoPacketIn;
    CHECK(scene.forward(1, kPlain).empty());
    CHECK(scene.events().empty());
    CHECK(scene.dropped(Drop::NoRule) == 1);
}

TEST_CASE("a mailbox that nobody empties loses packet-ins, nothing else") {
    const NothingLost nothing_lost;
    Scene scene;
    scene.add(0, 1, {}, {output(kPortController), output(2)});
    for (unsigned i = 0; i < 100; i++) CHECK(scene.forward(1, kPlain) == Frames{{2, {kPlain}}});
    const std::vector<Event> events = scene.events();
    CHECK(events.size() == 32);
    CHECK(scene.dropped(Drop::PacketInFull) == 68);
    for (const Event& event : events) rte_pktmbuf_free(event.packet);
    CHECK(scene.forward(1, kPlain).size() == 1);
    for (const Event& event : scene.events()) rte_pktmbuf_free(event.packet);
}

TEST_CASE("packet-out") {
    const NothingLost nothing_lost;
    Scene scene;
    scene.add(0, 1, match({{"in_port", 3}}), {output(4)});
    CHECK(scene.packet_out(kPortController, {output(1), set("nw_ttl", 63), output(2)}, kPlain) ==
          Frames{{1, {kPlain}}, {2, {kTtl63}}});
    CHECK(scene.packet_out(3, {{Output{kPortTable, 0}}}, kPlain) == Frames{{4, {kPlain}}});
    CHECK(scene.packet_out(3, {{Output{kPortInPort, 0}}}, kPlain) == Frames{{3, {kPlain}}});
    CHECK(scene.packet_out(kPortController, {output(kPortAll)}, kPlain).size() == 9);
    CHECK(scene.packet_out(kPortController, {}, kPlain).empty());
}

TEST_CASE("learn and fin_timeout ask control") {
    const NothingLost nothing_lost;
    Scene scene;
    auto learn = std::make_shared<Learn>();
    Learn::Spec spec{};
    spec.kind = Learn::Spec::Match;
    spec.from_field = true;
    spec.from = spec.to = bits("eth_src", 0, 48);
    learn->specs.push_back(spec);
    scene.add(0, 1, {}, {{LearnAction{learn}}, {FinTimeout{3, 4}}, output(2)});
    const Bytes fin = frame({.proto = 6, .tcp_flags = 0x11});
    CHECK(scene.forward(1, {kPlain, kPlain, fin}) == Frames{{2, {kPlain, kPlain, fin}}});
    std::vector<Event> events = scene.events();
    REQUIRE(events.size() == 2);  // the same request is not made twice a second
    CHECK(events[0].kind == Event::Learn);
    CHECK(events[0].learn == learn);
    CHECK(events[1].kind == Event::FinTimeout);
    CHECK(events[1].idle == 3);
    CHECK(events[1].hard == 4);
    scene.second++;
    CHECK(scene.forward(1, kPlain).size() == 1);
    CHECK(scene.events().size() == 1);
}

TEST_CASE("fragments") {
    const NothingLost nothing_lost;
    Scene scene;
    scene.add(0, 2, match({{"eth_type", 0x800}, {"nw_proto", 17}, {"udp_src", 1000}}), {output(2)});
    scene.add(0, 1, {}, {output(3)});
    const Bytes first = frame({.fragment = 0x2000}), later = frame({.fragment = 0x2003});
    CHECK(scene.forward(1, {kPlain, first, later}) == Frames{{2, {kPlain}}, {3, {first, later}}});
    scene.pipeline.frag = Frag::NxMatch;
    CHECK(scene.forward(1, {kPlain, first, later}) == Frames{{2, {kPlain, first}}, {3, {later}}});
    scene.pipeline.frag = Frag::Drop;
    CHECK(scene.forward(1, {kPlain, first, later}) == Frames{{2, {kPlain}}});
    CHECK(scene.dropped(Drop::Fragment) == 2);
}

TEST_CASE("multipath, bundle, output to a register, output_trunc, enqueue") {
    const NothingLost nothing_lost;
    Scene scene;
    scene.add(0, 1, match({{"in_port", 1}}), {{Multipath{1, 0, 0, 3, 0, bits("reg0", 0, 16)}}, resubmit(1)});
    for (uint32_t link = 0; link < 4; link++) scene.add(1, 1, match({{"reg0", link}}), {output(2 + link)});
    const auto spec = std::make_shared<BundleSpec>(BundleSpec{0, 1, 0, {4, 5}, {}});
    scene.add(0, 1, match({{"in_port", 2}}), {{Bundle{spec}}});
    scene.add(0, 1, match({{"in_port", 3}}), {set("reg5", 0x70000), {OutputReg{bits("reg5", 16, 16), 0}}});
    scene.add(0, 1, match({{"in_port", 4}}), {{OutputTrunc{5, 40}}, output(6)});
    scene.add(0, 1, match({{"in_port", 5}}), {{Enqueue{6, 3}}});
    unsigned used = 0;
    for (uint16_t i = 0; i < 64; i++) {
        const Frames sent = scene.forward(1, frame({.sport = i}));
        REQUIRE(sent.size() == 1);
        used |= 1u << sent.begin()->first;
    }
    CHECK(used == 0b111100);
    CHECK(scene.forward(2, kPlain) == Frames{{4, {kPlain}}});
    scene.wire(4).set_up(false);
    CHECK(scene.forward(2, kPlain) == Frames{{5, {kPlain}}});
    CHECK(scene.forward(3, kPlain) == Frames{{7, {kPlain}}});
    CHECK(scene.forward(4, kPlain) == Frames{{5, {Bytes(kPlain.begin(), kPlain.begin() + 40)}}, {6, {kPlain}}});
    CHECK(scene.forward(5, kPlain) == Frames{{6, {kPlain}}});
}

TEST_CASE("what a guest left to hardware stays right, and shared packets stay as they are") {
    const NothingLost nothing_lost;
    Scene scene;
    scene.add(0, 1, {}, {output(3), set("ip_src", 7), set("udp_src", 8), {PushVlan{Be16::of(0x8100)}}, output(2)});
    rte_mbuf* packet = mbuf(frame({.partial = true}));
    packet->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_IPV4;
    packet->l2_len = 14;
    packet->l3_len = 20;
    rte_mbuf* shared = rte_pktmbuf_clone(packet, pool());
    scene.wire(2).offload(RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
    CHECK(scene.forward(1, {shared}) ==
          Frames{{2, {frame({.tags = {{0x8100, 0}}, .ip_src = 7, .sport = 8})}}, {3, {kPlain}}});
    CHECK(bytes(packet) == frame({.partial = true}));
    rte_pktmbuf_free(packet);
}

TEST_CASE("meters: the rate, the burst, the bands") {
    const uint64_t hz = rte_get_tsc_hz();
    struct MeterCase {
        MeterConfig config;
        uint32_t size;
        double pass;  // of 1,000,000 packets in 10 s
    };
    using Band = MeterConfig::Band;
    const MeterCase cases[] = {
        {{MeterConfig::kPktps | MeterConfig::kBurst, {{Band::Drop, 10000, 100}}}, 64, 100100},
        {{MeterConfig::kPktps | MeterConfig::kBurst, {{Band::Drop, 77777, 1}}}, 64, 777771},
        {{MeterConfig::kKbps | MeterConfig::kBurst, {{Band::Drop, 8000, 80}}}, 100, 100100},
        {{MeterConfig::kKbps | MeterConfig::kBurst, {{Band::Drop, 400000, 100}}}, 1000, 500013},
        {{MeterConfig::kPktps, {{Band::Drop, 10000, 0}}}, 64, 110000},  // no burst given: a second's worth
    };
    for (const MeterCase& c : cases) {
        Meter meter;
        meter.config = c.config;
        meter.state = Meter::make_state(c.config);
        const uint64_t start = rte_rdtsc();
        unsigned passed = 0;
        for (uint64_t i = 0; i < 1'000'000; i++) passed += exceeded_band(meter, c.size, start + i * hz / 100'000) < 0;
        CHECK(passed == doctest::Approx(c.pass).epsilon(0.02));
    }
    Meter two;  // the band of the highest rate that is exceeded
    two.config = {MeterConfig::kPktps | MeterConfig::kBurst, {{Band::Drop, 1000, 10}, {Band::DscpRemark, 100, 1, 1}}};
    two.state = Meter::make_state(two.config);
    const uint64_t now = rte_rdtsc();
    for (int i = 0; i < 20; i++) CHECK(exceeded_band(two, 64, now) == (i < 1 ? -1 : i < 10 ? 1 : 0));
    CHECK(remarked(10 << 2, 1) == 12 << 2);  // AF11 to AF12
    CHECK(remarked(38 << 2 | 1, 1) == (38 << 2 | 1));
    CHECK(remarked(0, 1) == 0);
}

TEST_CASE("meters in rules") {
    const NothingLost nothing_lost;
    Scene scene;
    using Band = MeterConfig::Band;
    scene.meter(1, {MeterConfig::kPktps | MeterConfig::kBurst, {{Band::Drop, 1, 3}}});
    scene.meter(2, {MeterConfig::kPktps | MeterConfig::kBurst, {{Band::DscpRemark, 1, 1, 2}}});
    for (uint32_t i = 1; i <= 2; i++) {
        Program program;
        program.meter = i;
        program.apply = {output(5)};
        scene.add(0, 1, match({{"in_port", i}}), program);
    }
    CHECK(scene.forward(1, {kPlain, kPlain, kPlain, kPlain, kPlain}) == Frames{{5, {kPlain, kPlain, kPlain}}});
    CHECK(scene.dropped(Drop::Meter) == 2);
    const Bytes af11 = frame({.tos = 10 << 2}), af13 = frame({.tos = 14 << 2});
    CHECK(scene.forward(2, {af11, af11}) == Frames{{5, {af11, af13}}});
}
