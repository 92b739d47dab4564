// SPDX-License-Identifier: Apache-2.0
// What each action makes of a packet (OpenFlow 1.3.5, 5.12): the frame that leaves is compared whole with one built
// from the headers that the standard says it has.
#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "tests/engine/scene.hpp"

using namespace turnout;
using namespace turnout::test;
using namespace turnout::of;

namespace {

struct Case {
    std::string what;
    Headers in;
    Actions actions;
    std::function<void(Headers&)> change;  // of the headers that leave
};

void check(const std::vector<Case>& cases) {
    for (const Case& c : cases) {
        for (const size_t first : {SIZE_MAX, size_t{60}, size_t{15}}) {  // in one buffer, or several
            CAPTURE(c.what);
            CAPTURE(first);
            const NothingLost nothing_lost;
            Scene scene;
            Actions actions = c.actions;
            actions.push_back(output(2));
            scene.add(0, 1, {}, actions);
            Headers out = c.in;
            c.change(out);
            const Frames sent = scene.forward(1, {mbuf(frame(c.in), first, 40)});
            REQUIRE(sent.contains(2));
            CHECK(sent.at(2)[0] == frame(out));
        }
    }
}

const Headers kTcp4{.proto = 6}, kUdp4{}, kSctp4{.proto = 132}, kIcmp4{.proto = 1};
const Headers kTcp6{.kind = Headers::V6, .proto = 6}, kUdp6{.kind = Headers::V6};
const Headers kSolicit{.kind = Headers::V6, .proto = 58, .icmp_type = 135, .nd_option = 1};
const Headers kAdvert{.kind = Headers::V6, .proto = 58, .icmp_type = 136, .nd_option = 2};
const Headers kArp{.kind = Headers::Arp};

constexpr uint32_t label(uint32_t label, uint32_t tc, uint32_t ttl) { return label << 12 | tc << 9 | ttl; }

}  // namespace

TEST_CASE("set-field: Ethernet and VLAN") {
    check({
        {"eth_dst", kUdp4, {set("eth_dst", 0x0a0b0c0d0e0f)}, [](Headers& h) { h.dst = 0x0a0b0c0d0e0f; }},
        {"eth_src", kUdp4, {set("eth_src", 0x0a0b0c0d0e0f)}, [](Headers& h) { h.src = 0x0a0b0c0d0e0f; }},
        {"eth_dst, some bits",
         kUdp4,
         {set("eth_dst", 0xffffffffffff, 0xff00)},
         [](Headers& h) { h.dst = 0x02000000ffaa; }},
        {"vlan_vid",
         {.tags = {{0x8100, 0x6005}}},
         {set("vlan_vid", 0x1000 | 77)},
         [](Headers& h) {
             h.tags = {{0x8100, 0x604d}};
         }},
        {"vlan_pcp",
         {.tags = {{0x8100, 0x6005}}},
         {set("vlan_pcp", 7)},
         [](Headers& h) {
             h.tags = {{0x8100, 0xe005}};
         }},
        {"the drop eligible bit stays",
         {.tags = {{0x88a8, 0x7005}}},
         {set("vlan_vid", 0x1000 | 6)},
         [](Headers& h) {
             h.tags = {{0x88a8, 0x7006}};
         }},
        {"the outer tag of two",
         {.tags = {{0x88a8, 5}, {0x8100, 6}}},
         {set("vlan_vid", 0x1000 | 9)},
         [](Headers& h) { h.tags[0].second = 9; }},
        {"vlan_vid without a tag: pushed",
         kUdp4,
         {set("vlan_tci", 0x1000 | 9)},
         [](Headers& h) {
             h.tags = {{0x8100, 9}};
         }},
        {"vlan_pcp without a tag: nothing", kUdp4, {set("vlan_pcp", 3)}, [](Headers&) {}},
        {"vlan_tci of 0: popped", {.tags = {{0x8100, 5}}}, {set("vlan_tci", 0)}, [](Headers& h) { h.tags.clear(); }},
    });
}

TEST_CASE("set-field: IP, its checksum and that of the pseudo-header") {
    check({
        {"ip_src over TCP", kTcp4, {set("ip_src", 0xc0a80105)}, [](Headers& h) { h.ip_src = 0xc0a80105; }},
        {"ip_dst over UDP", kUdp4, {set("ip_dst", 0xc0a80105)}, [](Headers& h) { h.ip_dst = 0xc0a80105; }},
        {"ip_src, a prefix", kUdp4, {set("ip_src", 0xac100000, 0xffff0000)}, [](Headers& h) { h.ip_src = 0xac100001; }},
        {"ip_src over UDP without a checksum",
         {.no_udp_checksum = true},
         {set("ip_src", 1)},
         [](Headers& h) { h.ip_src = 1; }},
        {"ip_src over SCTP", kSctp4, {set("ip_src", 0xc0a80105)}, [](Headers& h) { h.ip_src = 0xc0a80105; }},
        {"ip_src over ICMP", kIcmp4, {set("ip_src", 0xc0a80105)}, [](Headers& h) { h.ip_src = 0xc0a80105; }},
        {"ip_src with options",
         {.ip_options = 8},
         {set("ip_src", 0xc0a80105)},
         [](Headers& h) { h.ip_src = 0xc0a80105; }},
        {"ip_src behind a tag", {.tags = {{0x8100, 3}}}, {set("ip_src", 7)}, [](Headers& h) { h.ip_src = 7; }},
        {"ip_src of a first fragment", {.fragment = 0x2000}, {set("ip_src", 7)}, [](Headers& h) { h.ip_src = 7; }},
        {"ip_src of a later fragment", {.fragment = 0x2005}, {set("ip_src", 7)}, [](Headers& h) { h.ip_src = 7; }},
        {"ip_src left to hardware", {.proto = 17}, {set("ip_src", 7), set("ip_src", 0x0a000001)}, [](Headers&) {}},
        {"ip_dscp", {.tos = 0x03}, {set("ip_dscp", 46)}, [](Headers& h) { h.tos = 46 << 2 | 3; }},
        {"ip_ecn", {.tos = 0xb8}, {set("ip_ecn", 2)}, [](Headers& h) { h.tos = 0xba; }},
        {"nw_ttl", kUdp4, {set("nw_ttl", 3)}, [](Headers& h) { h.ttl = 3; }},
        {"ipv6_src",
         kTcp6,
         {set("ipv6_src", std::array<uint8_t, 16>{1, 2, 3})},
         [](Headers& h) {
             h.ip6_src = {1, 2, 3};
         }},
        {"ipv6_dst",
         kUdp6,
         {set("ipv6_dst", std::array<uint8_t, 16>{1, 2, 3})},
         [](Headers& h) {
             h.ip6_dst = {1, 2, 3};
         }},
        {"ipv6_dst over ICMPv6",
         kSolicit,
         {set("ipv6_dst", std::array<uint8_t, 16>{1, 2, 3})},
         [](Headers& h) {
             h.ip6_dst = {1, 2, 3};
         }},
        {"ipv6_dst on its way to another",
         {.kind = Headers::V6, .routing_left = 1},
         {set("ipv6_dst", std::array<uint8_t, 16>{1, 2, 3})},
         [](Headers& h) {
             h.ip6_dst = {1, 2, 3};
         }},
        {"ipv6_dst at its end",
         {.kind = Headers::V6, .routing_left = 0},
         {set("ipv6_dst", std::array<uint8_t, 16>{1, 2, 3})},
         [](Headers& h) {
             h.ip6_dst = {1, 2, 3};
         }},
        {"ipv6_label", kUdp6, {set("ipv6_label", 0xabcde)}, [](Headers& h) { h.flow_label = 0xabcde; }},
        {"ip_dscp of IPv6", kUdp6, {set("ip_dscp", 46)}, [](Headers& h) { h.tos = 46 << 2; }},
        {"hop limit", kUdp6, {set("nw_ttl", 3)}, [](Headers& h) { h.ttl = 3; }},
        {"IPv4's field of an IPv6 packet", kUdp6, {set("ip_src", 7)}, [](Headers&) {}},
    });
}

TEST_CASE("set-field: ARP") {
    check({
        {"arp_op", kArp, {set("arp_op", 2)}, [](Headers& h) { h.arp_op = 2; }},
        {"arp_spa", kArp, {set("arp_spa", 9)}, [](Headers& h) { h.ip_src = 9; }},
        {"arp_tpa", kArp, {set("arp_tpa", 9)}, [](Headers& h) { h.ip_dst = 9; }},
        {"arp_sha", kArp, {set("arp_sha", 9)}, [](Headers& h) { h.arp_sha = 9; }},
        {"arp_tha", kArp, {set("arp_tha", 9)}, [](Headers& h) { h.arp_tha = 9; }},
        {"an opcode that the key lacks stays",
         {.kind = Headers::Arp, .arp_op = 0x101},
         {set("arp_spa", 9)},
         [](Headers& h) { h.ip_src = 9; }},
    });
}

TEST_CASE("set-field: L4") {
    check({
        {"tcp_src", kTcp4, {set("tcp_src", 9)}, [](Headers& h) { h.sport = 9; }},
        {"tcp_dst over IPv6", kTcp6, {set("tcp_dst", 9)}, [](Headers& h) { h.dport = 9; }},
        {"udp_src", kUdp4, {set("udp_src", 9)}, [](Headers& h) { h.sport = 9; }},
        {"udp_dst over IPv6", kUdp6, {set("udp_dst", 9)}, [](Headers& h) { h.dport = 9; }},
        {"udp_src without a checksum", {.no_udp_checksum = true}, {set("udp_src", 9)}, [](Headers& h) { h.sport = 9; }},
        {"sctp_src", kSctp4, {set("sctp_src", 9)}, [](Headers& h) { h.sport = 9; }},
        {"sctp_dst over IPv6",
         {.kind = Headers::V6, .proto = 132},
         {set("sctp_dst", 9)},
         [](Headers& h) { h.dport = 9; }},
        {"icmp_type", kIcmp4, {set("icmp_type", 0)}, [](Headers& h) { h.icmp_type = 0; }},
        {"icmp_code", kIcmp4, {set("icmp_code", 5)}, [](Headers& h) { h.icmp_code = 5; }},
        {"icmpv6_type",
         {.kind = Headers::V6, .proto = 58, .icmp_type = 128},
         {set("icmpv6_type", 129)},
         [](Headers& h) { h.icmp_type = 129; }},
        {"nd_target",
         kSolicit,
         {set("nd_target", std::array<uint8_t, 16>{1, 2, 3})},
         [](Headers& h) {
             h.nd_target = {1, 2, 3};
         }},
        {"nd_sll", kSolicit, {set("nd_sll", 9)}, [](Headers& h) { h.nd_address = 9; }},
        {"nd_tll", kAdvert, {set("nd_tll", 9)}, [](Headers& h) { h.nd_address = 9; }},
        {"TCP's field of a UDP packet", kUdp4, {set("tcp_src", 9)}, [](Headers&) {}},
        {"ports of a later fragment", {.fragment = 5}, {set("udp_src", 9)}, [](Headers&) {}},
        {"all at once",
         kTcp4,
         {set("eth_src", 1), set("ip_src", 2), set("ip_dst", 3), set("tcp_src", 4), set("tcp_dst", 5),
          set("nw_ttl", 6)},
         [](Headers& h) { h.src = 1, h.ip_src = 2, h.ip_dst = 3, h.sport = 4, h.dport = 5, h.ttl = 6; }},
        {"a UDP checksum that comes to 0 is sent as 0xffff",
         {.sport = 0, .payload = 0},
         {set("udp_src", 0xb3c2)},
         [](Headers& h) { h.sport = 0xb3c2; }},
    });
}

TEST_CASE("push and pop VLAN") {
    check({
        {"push",
         kUdp4,
         {{PushVlan{Be16::of(0x8100)}}},
         [](Headers& h) {
             h.tags = {{0x8100, 0}};
         }},
        {"push, set",
         kUdp4,
         {{PushVlan{Be16::of(0x88a8)}}, set("vlan_vid", 0x1000 | 5), set("vlan_pcp", 3)},
         [](Headers& h) {
             h.tags = {{0x88a8, 0x6005}};
         }},
        {"push copies ID and priority",
         {.tags = {{0x8100, 0x6005}}},
         {{PushVlan{Be16::of(0x88a8)}}},
         [](Headers& h) {
             h.tags = {{0x88a8, 0x6005}, {0x8100, 0x6005}};
         }},
        {"push on two",
         {.tags = {{0x8100, 1}, {0x8100, 2}}},
         {{PushVlan{Be16::of(0x8100)}}, set("vlan_vid", 0x1000 | 3)},
         [](Headers& h) {
             h.tags.insert(h.tags.begin(), {0x8100, 3});
         }},
        {"pop", {.tags = {{0x8100, 5}}}, {{PopVlan{}}}, [](Headers& h) { h.tags.clear(); }},
        {"pop the outer of two",
         {.tags = {{0x88a8, 5}, {0x8100, 6}}},
         {{PopVlan{}}},
         [](Headers& h) { h.tags.erase(h.tags.begin()); }},
        {"pop three of three",
         {.tags = {{0x8100, 5}, {0x8100, 6}, {0x8100, 7}}},
         {{PopVlan{}}, {PopVlan{}}, {PopVlan{}}},
         [](Headers& h) { h.tags.clear(); }},
        {"pop without a tag", kUdp4, {{PopVlan{}}}, [](Headers&) {}},
        {"pop, then set an address",
         {.tags = {{0x8100, 5}}, .proto = 6},
         {{PopVlan{}}, set("ip_src", 3)},
         [](Headers& h) { h.tags.clear(), h.ip_src = 3; }},
        {"set, push, set, pop",
         kTcp4,
         {set("ip_src", 3), {PushVlan{Be16::of(0x8100)}}, set("tcp_dst", 4), {PopVlan{}}},
         [](Headers& h) { h.ip_src = 3, h.dport = 4; }},
        {"OpenFlow 1.0's set_vlan_vid pushes",
         kUdp4,
         {{SetVlanVid{5}}},
         [](Headers& h) {
             h.tags = {{0x8100, 5}};
         }},
        {"OpenFlow 1.0's set_vlan_vid sets",
         {.tags = {{0x8100, 0x6001}}},
         {{SetVlanVid{5}}},
         [](Headers& h) {
             h.tags = {{0x8100, 0x6005}};
         }},
        {"OpenFlow 1.0's set_vlan_pcp pushes",
         kUdp4,
         {{SetVlanPcp{5}}},
         [](Headers& h) {
             h.tags = {{0x8100, 0xa000}};
         }},
    });
}

TEST_CASE("push and pop MPLS") {
    check({
        {"push on IPv4",
         {.tos = 0x04, .ttl = 9},
         {{PushMpls{Be16::of(0x8847)}}},
         [](Headers& h) { h.labels = {label(0, 1, 9)}; }},
        {"push on IPv6",
         {.kind = Headers::V6, .ttl = 9},
         {{PushMpls{Be16::of(0x8848)}}},
         [](Headers& h) { h.labels = {label(2, 0, 9)}, h.label_type = 0x8848; }},
        {"push on neither",
         {.kind = Headers::Raw},
         {{PushMpls{Be16::of(0x8847)}}},
         [](Headers& h) { h.labels = {label(0, 0, 64)}; }},
        {"push copies label, class and TTL",
         {.labels = {label(77, 5, 20)}},
         {{PushMpls{Be16::of(0x8847)}}},
         [](Headers& h) {
             h.labels = {label(77, 5, 20), label(77, 5, 20)};
         }},
        {"push behind the tag",
         {.tags = {{0x8100, 5}}},
         {{PushMpls{Be16::of(0x8847)}}, set("mpls_label", 3)},
         [](Headers& h) { h.labels = {label(3, 0, 64)}; }},
        {"push, set label and class",
         kTcp4,
         {{PushMpls{Be16::of(0x8847)}}, set("mpls_label", 0xabcde), set("mpls_tc", 6)},
         [](Headers& h) { h.labels = {label(0xabcde, 6, 64)}; }},
        {"set the outer of two",
         {.labels = {label(1, 1, 1), label(2, 2, 2)}},
         {set("mpls_label", 9)},
         [](Headers& h) { h.labels[0] = label(9, 1, 1); }},
        {"pop one of two",
         {.labels = {label(1, 1, 1), label(2, 2, 2)}},
         {{PopMpls{Be16::of(0x8847)}}},
         [](Headers& h) { h.labels = {label(2, 2, 2)}; }},
        {"pop the last",
         {.proto = 6},
         {{PushMpls{Be16::of(0x8847)}}, {PopMpls{Be16::of(0x0800)}}, set("tcp_src", 5)},
         [](Headers& h) { h.sport = 5; }},
        {"pop without a label", kTcp4, {{PopMpls{Be16::of(0x0800)}}}, [](Headers&) {}},
        {"set_mpls_ttl",
         {.labels = {label(1, 1, 1)}},
         {{SetMplsTtl{77}}},
         [](Headers& h) { h.labels = {label(1, 1, 77)}; }},
        {"dec_mpls_ttl",
         {.labels = {label(1, 1, 9)}},
         {{DecMplsTtl{}}},
         [](Headers& h) { h.labels = {label(1, 1, 8)}; }},
        {"a label of an IP packet", kTcp4, {set("mpls_label", 5), {SetMplsTtl{3}}}, [](Headers&) {}},
    });
}

TEST_CASE("TTL") {
    check({
        {"dec_ttl", kTcp4, {{DecTtl{}}}, [](Headers& h) { h.ttl = 63; }},
        {"dec_ttl of IPv6", kTcp6, {{DecTtl{}}}, [](Headers& h) { h.ttl = 63; }},
        {"dec_ttl twice", kTcp4, {{DecTtl{}}, {DecTtl{}}}, [](Headers& h) { h.ttl = 62; }},
        {"dec_ttl without IP", kArp, {{DecTtl{}}}, [](Headers&) {}},
        {"copy outwards: IP to MPLS",
         {.labels = {label(1, 1, 9)}},
         {{CopyTtlOut{}}},
         [](Headers& h) { h.labels = {label(1, 1, 64)}; }},
        {"copy outwards: MPLS to MPLS",
         {.labels = {label(1, 1, 9), label(2, 2, 33)}},
         {{CopyTtlOut{}}},
         [](Headers& h) { h.labels[0] = label(1, 1, 33); }},
        {"copy inwards: MPLS to IP", {.labels = {label(1, 1, 9)}}, {{CopyTtlIn{}}}, [](Headers& h) { h.ttl = 9; }},
        {"copy inwards: MPLS to IPv6",
         {.kind = Headers::V6, .labels = {label(1, 1, 9)}},
         {{CopyTtlIn{}}},
         [](Headers& h) { h.ttl = 9; }},
        {"copy inwards: MPLS to MPLS",
         {.labels = {label(1, 1, 9), label(2, 2, 33)}},
         {{CopyTtlIn{}}},
         [](Headers& h) { h.labels[1] = label(2, 2, 9); }},
    });
}

TEST_CASE("push and pop PBB") {
    const Headers::Pbb outer{0x0200000000aa, 0x0200000000bb, 0};
    check({
        {"push", kUdp4, {{PushPbb{Be16::of(0x88e7)}}}, [&](Headers& h) { h.pbb = {outer}; }},
        {"push, set the backbone's addresses and the I-SID",
         kUdp4,
         {{PushPbb{Be16::of(0x88e7)}}, set("pbb_isid", 0x123456), set("eth_dst", 1), set("eth_src", 2)},
         [&](Headers& h) {
             h.pbb = {{1, 2, 0x123456}};
         }},
        {"push takes the VLAN's priority",
         {.tags = {{0x8100, 0xa005}}},
         {{PushPbb{Be16::of(0x88e7)}}},
         [&](Headers& h) {
             h.pbb = {{outer.dst, outer.src, 0xa0000000}};
         }},
        {"pop", {.pbb = {{1, 2, 3}}}, {{PopPbb{}}}, [](Headers& h) { h.pbb.clear(); }},
        {"pop, then look inside",
         {.pbb = {{1, 2, 3}}, .proto = 6},
         {{PopPbb{}}, set("tcp_src", 3)},
         [](Headers& h) { h.pbb.clear(), h.sport = 3; }},
        {"pop without one", kUdp4, {{PopPbb{}}}, [](Headers&) {}},
        {"push, push B-TAG, pop both",
         kUdp4,
         {{PushPbb{Be16::of(0x88e7)}}, {PushVlan{Be16::of(0x88a8)}}, {PopVlan{}}, {PopPbb{}}},
         [](Headers&) {}},
    });
}

TEST_CASE("load, move, stack") {
    check({
        {"move between fields of a packet",
         kUdp4,
         {{Move{bits("ip_src", 0, 32), bits("ip_dst", 0, 32)}}},
         [](Headers& h) { h.ip_dst = h.ip_src; }},
        {"move a part",
         kUdp4,
         {{Move{bits("ip_src", 0, 8), bits("ip_dst", 16, 8)}}},
         [](Headers& h) { h.ip_dst = 0x0a010002; }},
        {"move by way of a register",
         kUdp4,
         {{Move{bits("eth_src", 0, 32), bits("reg3", 0, 32)}}, {Move{bits("reg3", 0, 16), bits("udp_dst", 0, 16)}}},
         [](Headers& h) { h.dport = 0xbb; }},
        {"swap by the stack",
         kUdp4,
         {{StackPush{bits("eth_src", 0, 48)}},
          {StackPush{bits("eth_dst", 0, 48)}},
          {StackPop{bits("eth_src", 0, 48)}},
          {StackPop{bits("eth_dst", 0, 48)}}},
         [](Headers& h) { std::swap(h.src, h.dst); }},
        {"pop of an empty stack", kUdp4, {{StackPop{bits("ip_src", 0, 32)}}}, [](Headers&) {}},
        {"move to a field that the packet lacks",
         kUdp4,
         {{Move{bits("ip_src", 0, 16), bits("tcp_src", 0, 16)}}},
         [](Headers&) {}},
        {"an address of IPv6 through xxreg0",
         kUdp6,
         {{Move{bits("ipv6_src", 0, 128), bits("xxreg0", 0, 128)}},
          {Move{bits("xxreg0", 0, 128), bits("ipv6_dst", 0, 128)}}},
         [](Headers& h) { h.ip6_dst = h.ip6_src; }},
        {"nw_tos is set without the ECN",
         Headers{.tos = 0x57},
         {set("nw_tos", 0x88)},
         [](Headers& h) { h.tos = 0x8b; }},
        {"nw_tos is read without the ECN",
         Headers{.tos = 0x57},
         {{Move{bits("nw_tos", 0, 8), bits("nw_ttl", 0, 8)}}},
         [](Headers& h) { h.ttl = 0x54; }},
        {"nw_tos is written without the ECN",
         Headers{.tos = 0x57},
         {{Move{bits("ip_src", 24, 8), bits("nw_tos", 0, 8)}}},
         [](Headers& h) { h.tos = 0x0b; }},
        {"registers in halves",
         kUdp4,
         {set("xreg0", 0x0000000700000008),
          {Move{bits("reg1", 0, 32), bits("ip_src", 0, 32)}},
          {Move{bits("reg0", 0, 32), bits("ip_dst", 0, 32)}}},
         [](Headers& h) { h.ip_src = 8, h.ip_dst = 7; }},
        {"nothing to do",
         kUdp4,
         {{Note{}}, {Sample{}}, {Conjunction{1, 0, 2}}, {SetQueue{3}}, {PopQueue{}}},
         [](Headers&) {}},
    });
}
