// SPDX-License-Identifier: Apache-2.0
// Flows that ovs-ofctl sent, and how Open vSwitch dumped them: the codec writes the same bytes in each format.
#include <doctest/doctest.h>

#include "tests/engine/codec_data.hpp"

namespace turnout::test {
namespace {

using namespace of;

struct Read {
    FlowMod mod;
    Program program;
};

Read read(const Wire& message) {
    Read result{decode_flow_mod(message, true), {}};
    result.program = decode_program(result.mod.instructions, message[0], result.mod.match, result.mod.table);
    return result;
}

std::string match_of(const Match& match, uint8_t version, FlowFormat format) {
    Wire wire;
    encode_match(wire, version, format, match);
    return to_hex(wire);
}

std::string actions_of(const Program& program, uint8_t version) {
    Wire wire;
    encode_program(wire, version, program);
    return to_hex(wire);
}

TEST_CASE("codec: flows are written as Open vSwitch writes them") {
    const auto flows = flows_of_ovs();
    REQUIRE(flows.size() > 150);
    for (const Flow& flow : flows) {
        CAPTURE(flow.text);
        const Read got = read(flow.mod);
        CHECK(match_of(got.mod.match, kOf10, FlowFormat::Of10) == flow.match[0]);
        CHECK(match_of(got.mod.match, kOf10, FlowFormat::Nxm) == flow.match[1]);
        CHECK(match_of(got.mod.match, kOf13, FlowFormat::Oxm) == flow.match[2]);
        CHECK(actions_of(got.program, kOf10) == flow.actions[0]);
        CHECK(actions_of(got.program, kOf10) == flow.actions[1]);
        CHECK(actions_of(got.program, kOf13) == flow.actions[2]);
    }
}

TEST_CASE("codec: what is written is read back as the same flow") {
    for (const Flow& flow : flows_of_ovs()) {
        CAPTURE(flow.text);
        const Read got = read(flow.mod);
        Wire nxm, oxm;
        encode_match(nxm, kOf10, FlowFormat::Nxm, got.mod.match);
        encode_match(oxm, kOf13, FlowFormat::Oxm, got.mod.match);
        CHECK(decode_fields(nxm, true) == got.mod.match);
        Match from_oxm = decode_fields(Bytes(oxm).subspan(4, be16(&oxm[2]) - size_t{4}), true);
        // A tag's absence is 16 bits in NXM, 13 in OXM.
        from_oxm.mask.eth.vlan[0].tci.raw |= got.mod.match.mask.eth.vlan[0].tci.raw;
        CHECK(from_oxm == got.mod.match);
        const Wire instructions = from_hex(actions_of(got.program, kOf13));
        const Program again = decode_program(instructions, kOf13, got.mod.match, kAllTables);
        CHECK(actions_of(again, kOf13) == to_hex(instructions));
    }
}

TEST_CASE("codec: a flow's statistics hold its numbers in each format") {
    const Read got = read(flows_of_ovs()[0].mod);
    FlowStats flow;
    flow.match = got.mod.match;
    flow.program = &got.program;
    flow.table = 7;
    flow.cookie = 0x0102030405060708;
    flow.packets = 11;
    flow.bytes = 22;
    flow.age_ns = 3'000'000'004;
    flow.priority = 5;
    flow.idle = 6;
    flow.hard = 8;
    flow.flags = 1;
    flow.importance = 9;
    flow.idle_age = 1;
    flow.hard_age = 70000;
    const auto entry = [&](uint8_t version, FlowFormat format) {
        Wire body;
        encode_flow_stats(body, version, format, flow);
        CHECK(be16(&body[0]) == body.size());
        CHECK(body[2] == 7);
        return body;
    };
    const std::string age = "0000000300000004", counts = "0102030405060708 000000000000000b 0000000000000016";
    const auto part = [](const Wire& wire, size_t at, size_t n) { return to_hex(Bytes(wire).subspan(at, n)); };
    const auto plain = [](const std::string& hex) { return to_hex(from_hex(hex)); };

    const Wire of10 = entry(kOf10, FlowFormat::Of10);
    CHECK(part(of10, 44, 14) == plain(age + "0005 0006 0008"));
    CHECK(part(of10, 64, 24) == plain(counts));
    const Wire nxm = entry(kOf10, FlowFormat::Nxm);
    CHECK(part(nxm, 4, 20) == plain(age + "0005 0006 0008 0006 0002 ffff"));  // match_len, ages + 1
    CHECK(part(nxm, 24, 24) == plain(counts));
    const Wire of13 = entry(kOf13, FlowFormat::Oxm);
    CHECK(part(of13, 4, 20) == plain(age + "0005 0006 0008 0001 0000 0000"));
    CHECK(part(of13, 24, 24) == plain(counts));
    CHECK(part(entry(kOf14, FlowFormat::Oxm), 4, 20) == plain(age + "0005 0006 0008 0001 0009 0000"));

    Wire removed;
    flow.reason = 5;  // eviction: 1.4's
    encode_flow_removed(removed, kOf13, FlowFormat::Oxm, 1, flow);
    CHECK(part(removed, 8, 40) ==
          plain("0102030405060708 0005 02 07" + age + "0006 0008 000000000000000b 0000000000000016"));
    removed.clear();
    encode_flow_removed(removed, kOf14, FlowFormat::Oxm, 1, flow);
    CHECK(removed[18] == 5);
    removed.clear();
    encode_flow_removed(removed, kOf10, FlowFormat::Nxm, 1, flow);
    CHECK(part(removed, 8, 20) == plain("00002320 0000000e 0102030405060708 0005 02 08"));
    CHECK(be16(&removed[2]) == removed.size());
    removed.clear();
    encode_flow_removed(removed, kOf10, FlowFormat::Of10, 1, flow);
    CHECK(removed.size() == 88);
}

TEST_CASE("codec: a load of OpenFlow 1.0's port or of nw_tos sets what it stands for") {
    const Wire loads = from_hex(
        "ffff0018000023200007 000f 00000002 000000000000fffe"  // NXM_OF_IN_PORT, to LOCAL
        "ffff0018000023200007 0007 00000a01 0000000000000020");
    Match ip;
    ip.value.eth.type = Be16::of(0x0800);
    const Program program = decode_program(loads, kOf10, ip, 0);
    REQUIRE(program.apply.size() == 2);
    const auto& port = std::get<SetField>(program.apply[0].is);
    CHECK(to_hex(Bytes(port.value).first(4)) == "fffffffe");
    CHECK(to_hex(Bytes(port.mask).first(4)) == "ffffffff");
    CHECK(std::get<SetField>(program.apply[1].is).mask[0] == 0xfc);
    CHECK(actions_of(program, kOf10) == to_hex(loads));
}

TEST_CASE("codec: cookies, tables and commands of flow_mods") {
    // ovs-ofctl del-flows cookie=5/-1,ip and mod-flows cookie=5/7,ip,actions=drop
    const FlowMod del = decode_flow_mod(
        from_hex("0104004800000008000023200000000d00000000000000000003000000008000ffffffffffff0000001200000000"
                 "000000000602080000013c080000000000000005000000000000"));
    CHECK(del.command == FlowMod::Delete);
    CHECK(del.table == kAllTables);
    CHECK(del.cookie == 5);
    CHECK(del.cookie_mask == ~uint64_t{0});
    const Wire modify = from_hex(
        "0104005000000008000023200000000dffffffffffffffff0201000000008000ffffffffffff0000001a00000000"
        "000000000602080000013d1000000000000000050000000000000007000000000000");
    const FlowMod mod = decode_flow_mod(modify, true);
    CHECK(mod.command == FlowMod::Modify);
    CHECK(mod.table == 2);
    CHECK(mod.keeps_cookie);
    CHECK(mod.cookie == 5);
    CHECK(mod.cookie_mask == 7);
    CHECK_THROWS_AS(decode_flow_mod(modify, false), OfError);  // the table is then part of the command
}

}  // namespace
}  // namespace turnout::test
