// SPDX-License-Identifier: Apache-2.0
// Fields by name: which of them a packet has, their values and masks.
#include <doctest/doctest.h>

#include <set>
#include <string>

#include "engine/flow/fields.hpp"

namespace turnout::test {
namespace {

FlowKey tcp_key() {
    FlowKey key{};
    key.eth = {{{2, 0, 0, 0, 0, 2}}, {{2, 0, 0, 0, 0, 1}}, Be16::of(0x0800), 0, {}};
    key.eth.vlan[0] = {Be16::of(0x8100), Be16::of(0xb064)};
    key.net.ipv4_src = Be32::of(0x0a000001);
    key.net.ipv4_dst = Be32::of(0x0a000002);
    key.net.tos = 0xb9;
    key.net.ttl = 64;
    key.net.proto = 6;
    key.tp = {Be16::of(12345), Be16::of(80), Be16::of(0x012), 0, {}, {}, {}, 0};
    return key;
}

std::string describe_as_text(const FlowKey& key) {
    std::string text;
    for (const auto& [name, what] : describe(key)) {
        const auto* number = std::get_if<uint64_t>(&what);
        text += std::string(name) + "=" + (number ? std::to_string(*number) : std::get<std::string>(what)) + " ";
    }
    return text;
}

TEST_CASE("fields: describe() tells what the packet has, in the order of the layers") {
    CHECK(describe_as_text(tcp_key()) ==
          "eth_dst=02:00:00:00:00:02 eth_src=02:00:00:00:00:01 eth_type=2048 "
          "vlan_tpid=33024 vlan_tci=45156 dl_vlan=100 dl_vlan_pcp=5 "
          "ip_src=10.0.0.1 ip_dst=10.0.0.2 nw_proto=6 ip_dscp=46 ip_ecn=1 nw_ttl=64 nw_frag=0 "
          "tcp_src=12345 tcp_dst=80 tcp_flags=18 ");
}

TEST_CASE("fields: a later fragment has no ports") {
    FlowKey key = tcp_key();
    key.net.frag = kFragAny | kFragLater;
    CHECK_FALSE(applies(*find_field("tcp_src"), key));
    CHECK(applies(*find_field("nw_frag"), key));
    key.net.frag = kFragAny;
    CHECK(applies(*find_field("tcp_src"), key));
}

TEST_CASE("fields: what the packet does not carry is shown when it is not zero") {
    FlowKey key{};
    CHECK(describe_as_text(key) == "eth_dst=00:00:00:00:00:00 eth_src=00:00:00:00:00:00 eth_type=0 ");
    key.arrival.in_port = Be32::of(7);
    key.tunnel.id = Be64::of(0x123456789);
    key.reg[15] = Be32::of(15);
    CHECK(describe_as_text(key) ==
          "in_port=7 eth_dst=00:00:00:00:00:00 eth_src=00:00:00:00:00:00 eth_type=0 "
          "tun_id=4886718345 reg15=15 ");
}

TEST_CASE("fields: neighbour discovery, by message") {
    FlowKey key{};
    key.eth.type = Be16::of(0x86dd);
    key.net.proto = 58;
    key.tp.src = Be16::of(135);
    CHECK(applies(*find_field("nd_target"), key));
    CHECK(applies(*find_field("nd_sll"), key));
    CHECK_FALSE(applies(*find_field("nd_tll"), key));
    key.tp.src = Be16::of(136);
    CHECK(applies(*find_field("nd_target"), key));
    CHECK_FALSE(applies(*find_field("nd_sll"), key));
    CHECK(applies(*find_field("nd_tll"), key));
    key.tp.dst = Be16::of(1);
    CHECK_FALSE(applies(*find_field("nd_target"), key));
}

TEST_CASE("fields: as many labels as the stack has") {
    FlowKey key{};
    key.eth.type = Be16::of(0x8848);
    key.net.mpls_lse[0] = Be32::of(0x00014a40);
    CHECK(std::get<uint64_t>(value(*find_field("mpls_label"), key)) == 20);
    CHECK(std::get<uint64_t>(value(*find_field("mpls_tc"), key)) == 5);
    CHECK(std::get<uint64_t>(value(*find_field("mpls_ttl"), key)) == 64);
    CHECK(applies(*find_field("mpls_lse1"), key));
    CHECK(applies(*find_field("mpls_lse2"), key));
    key.net.mpls_lse[1] = Be32::of(0x100);
    CHECK_FALSE(applies(*find_field("mpls_lse2"), key));
    key.net.mpls_lse[0] = Be32::of(0x100);
    CHECK_FALSE(applies(*find_field("mpls_lse1"), key));
}

TEST_CASE("fields: masks cover their bits and no more") {
    CHECK(mask_of(*find_field("mpls_tc")).net.mpls_lse[0] == Be32::of(0xe00));
    CHECK(mask_of(*find_field("dl_vlan")).eth.vlan[0].tci == Be16::of(0x0fff));
    CHECK(mask_of(*find_field("ip_dscp")).net.tos == 0xfc);
    for (const Field& field : fields()) {
        const FlowKey mask = mask_of(field);
        int bits = 0;
        for (size_t i = 0; i < kKeyWords; i++) bits += __builtin_popcountll(word(mask, i));
        INFO(field.name);
        CHECK(bits == field.bits);
    }
}

TEST_CASE("fields: names are unique, and found") {
    std::set<std::string_view> names;
    for (const Field& field : fields()) {
        CHECK(names.insert(field.name).second);
        CHECK(find_field(field.name) == &field);
    }
    CHECK(find_field("no_such_field") == nullptr);
}

}  // namespace
}  // namespace turnout::test
