// SPDX-License-Identifier: Apache-2.0
// What is asked of a port that can't: each packet that leaves is compared whole with one made here independently.
#include "engine/tx/offload.hpp"

#include <doctest/doctest.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>

#include <array>
#include <string>

#include "tests/engine/packets.hpp"

using namespace turnout;
using namespace turnout::test;

namespace {

void request(rte_mbuf* packet, const Made& made, uint16_t mss = 0) {
    packet->l2_len = made.l2() & 0x7f;
    packet->l3_len = made.l3() & 0x1ff;
    packet->l4_len = made.l4() & 0xff;
    packet->ol_flags |= made.v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
    packet->ol_flags |= made.tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
    if (mss) packet->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
    packet->tso_segsz = mss;
}

constexpr uint64_t kRequests = RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IP_CKSUM;

// In place of what is asked for. (That its data is external is a flag, too.)
void ask(rte_mbuf* packet, uint64_t flags) { packet->ol_flags = (packet->ol_flags & RTE_MBUF_F_EXTERNAL) | flags; }

struct Chain {
    size_t first, rest;  // bytes in the first buffer, in each other
};
constexpr Chain kWhole{SIZE_MAX, 1};

struct SegmentCase {
    std::string what;
    Made made;
    uint16_t mss;
    Chain chain;
};

const SegmentCase kSegmentCases[] = {
    {"IPv4, three equal segments", {.payload = 3000}, 1000, kWhole},
    {"IPv4, the last one short", {.payload = 3001}, 1000, kWhole},
    {"IPv4, less than one segment", {.payload = 999}, 1000, kWhole},
    {"IPv4, exactly one segment", {.payload = 1000}, 1000, kWhole},
    {"IPv4, tagged", {.vlan = true, .payload = 2500}, 1000, kWhole},
    {"IPv4 with options", {.ip_extra = 8, .payload = 2500}, 1000, kWhole},
    {"IPv4, all of TCP's options", {.tcp_options = 40, .payload = 2500}, 1000, kWhole},
    {"IPv6", {.v6 = true, .payload = 2500}, 1000, kWhole},
    {"IPv6, tagged", {.v6 = true, .vlan = true, .tcp_options = 12, .payload = 2500}, 1000, kWhole},
    {"IPv6 with a hop-by-hop header", {.v6 = true, .ip_extra = 8, .payload = 2500}, 1000, kWhole},
    {"the longest headers that there is room for",
     {.v6 = true, .ip_extra = 32, .tcp_options = 20, .payload = 2500},
     1000,
     kWhole},
    {"many buffers", {.payload = 9000}, 1448, {1514, 1500}},
    {"buffers of odd length", {.payload = 9000}, 1447, {301, 701}},
    {"headers alone in the first buffer", {.v6 = true, .payload = 5000}, 1440, {74, 1001}},
    {"64 KiB", {.tcp_options = 12, .payload = 65483}, 1448, {2048, 2048}},
    {"segments longer than a buffer", {.payload = 30000}, 8948, {2048, 2048}},
    {"PSH and FIN on the last, CWR on the first", {.payload = 3000, .flags = 0x99}, 1000, kWhole},
    {"sequence number and IP id wrap", {.payload = 5000, .seq = 0xfffff830, .id = 0xfffe}, 1000, kWhole},
    {"segments of one byte", {.payload = 100}, 1, kWhole},
};

struct ChecksumCase {
    std::string what;
    Made made;
    Chain chain;
};

const ChecksumCase kChecksumCases[] = {
    {"TCP on IPv4", {.payload = 100}, kWhole},
    {"TCP on IPv4, an odd length", {.payload = 101}, kWhole},
    {"TCP on IPv4, no payload", {}, kWhole},
    {"TCP on IPv4, tagged", {.vlan = true, .payload = 100}, kWhole},
    {"TCP on IPv4 with options", {.ip_extra = 40, .payload = 100}, kWhole},
    {"TCP on IPv6", {.v6 = true, .payload = 101}, kWhole},
    {"TCP on IPv6 with a hop-by-hop header", {.v6 = true, .ip_extra = 16, .payload = 101}, kWhole},
    {"UDP on IPv4", {.tcp = false, .payload = 33}, kWhole},
    {"UDP on IPv6, tagged", {.v6 = true, .vlan = true, .tcp = false, .payload = 33}, kWhole},
    {"jumbo in buffers of odd length", {.payload = 8900}, {101, 777}},
    {"UDP, jumbo in buffers of odd length", {.v6 = true, .tcp = false, .payload = 8900}, {101, 777}},
    {"the checksum field ends the first buffer", {.tcp = false, .payload = 99}, {42, 77}},
};

}  // namespace

TEST_CASE("software is needed for what a port does not do") {
    const NothingLost nothing_lost;
    constexpr uint64_t tcp = RTE_ETH_TX_OFFLOAD_TCP_CKSUM, udp = RTE_ETH_TX_OFFLOAD_UDP_CKSUM,
                       tso = RTE_ETH_TX_OFFLOAD_TCP_TSO;
    rte_mbuf* packet = mbuf(bytes(Made{.payload = 1}, Checksum::Partial));
    CHECK_FALSE(needs_software(packet, 0));
    ask(packet, RTE_MBUF_F_TX_TCP_CKSUM);
    CHECK(needs_software(packet, udp | tso));
    CHECK_FALSE(needs_software(packet, tcp));
    ask(packet, RTE_MBUF_F_TX_UDP_CKSUM);
    CHECK(needs_software(packet, tcp | tso));
    CHECK_FALSE(needs_software(packet, udp));
    ask(packet, RTE_MBUF_F_TX_TCP_SEG);
    CHECK(needs_software(packet, tcp | udp));
    CHECK(needs_software(packet, tso));
    CHECK_FALSE(needs_software(packet, tso | tcp));
    ask(packet, RTE_MBUF_F_TX_SCTP_CKSUM);
    CHECK_FALSE(needs_software(packet, 0));
    rte_pktmbuf_free(packet);
}

TEST_CASE("checksums are finished, and nothing else is changed") {
    for (const auto& [what, made, chain] : kChecksumCases) {
        CAPTURE(what);
        const NothingLost nothing_lost;
        rte_mbuf* packet = mbuf(bytes(made, Checksum::Partial), chain.first, chain.rest);
        request(packet, made);
        finish_checksums(packet);
        CHECK(bytes(packet) == bytes(made, Checksum::Full));
        CHECK((packet->ol_flags & kRequests) == 0);
        rte_pktmbuf_free(packet);
    }
}

TEST_CASE("an IPv4 header's checksum is written when asked for") {
    const NothingLost nothing_lost;
    const Made made{.ip_extra = 8, .payload = 50};
    Bytes frame = bytes(made, Checksum::Partial);
    frame[24] = frame[25] = 0xee;
    rte_mbuf* packet = mbuf(frame);
    request(packet, made);
    packet->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
    finish_checksums(packet);
    CHECK(bytes(packet) == bytes(made, Checksum::Full));
    rte_pktmbuf_free(packet);
}

TEST_CASE("a checksum of 0 is sent as 0xffff") {
    const NothingLost nothing_lost;
    const Made made{.tcp = false, .payload = 2};
    Bytes frame = bytes(made, Checksum::Full);
    const size_t at = made.checksum_at();
    // What the sum lacks to 0xffff goes into the payload.
    uint32_t payload = frame[42] * 256u + frame[43] + frame[at] * 256u + frame[at + 1];
    payload = (payload & 0xffff) + (payload >> 16);
    Bytes partial = bytes(made, Checksum::Partial);
    partial[42] = static_cast<uint8_t>(payload >> 8);
    partial[43] = static_cast<uint8_t>(payload);
    rte_mbuf* packet = mbuf(partial);
    request(packet, made);
    finish_checksums(packet);
    CHECK(bytes(packet)[at] == 0xff);
    CHECK(bytes(packet)[at + 1] == 0xff);
    rte_pktmbuf_free(packet);
}

TEST_CASE("headers that lie are left as they are, without their request") {
    const Made v4{.payload = 4}, v6{.v6 = true, .payload = 4};
    struct Lie {
        std::string what;
        Made made;
        void (*tell)(rte_mbuf*);
        size_t first = SIZE_MAX;
    };
    const Lie lies[] = {
        {"no L2 length", v4, [](rte_mbuf* packet) { packet->l2_len = 0; }},
        {"an L2 length of 13", v4, [](rte_mbuf* packet) { packet->l2_len = 13; }},
        {"an L3 length of 19", v4, [](rte_mbuf* packet) { packet->l3_len = 19; }},
        {"an L3 length of 39 in IPv6", v6, [](rte_mbuf* packet) { packet->l3_len = 39; }},
        {"an L3 length beyond the packet", v4, [](rte_mbuf* packet) { packet->l3_len = 0x1ff; }},
        {"a checksum field half in the packet", v4, [](rte_mbuf* packet) { packet->l3_len = 44 - 14 - 3; }},
        {"a checksum field in the second buffer", v4, [](rte_mbuf*) {}, 50},
        {"a checksum field half in the second buffer", v4, [](rte_mbuf*) {}, 51},
        {"SCTP's", v4, [](rte_mbuf* packet) { ask(packet, RTE_MBUF_F_TX_SCTP_CKSUM); }},
    };
    for (const Lie& lie : lies) {
        CAPTURE(lie.what);
        const NothingLost nothing_lost;
        Bytes frame = bytes(lie.made, Checksum::Partial);
        rte_mbuf* packet = mbuf(frame, lie.first);
        request(packet, lie.made);
        packet->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
        lie.tell(packet);
        finish_checksums(packet);
        CHECK(bytes(packet) == frame);
        CHECK((packet->ol_flags & kRequests) == 0);
        rte_pktmbuf_free(packet);
    }
}

TEST_CASE("super-packets are cut into what TCP would have sent") {
    for (const auto& [what, made, mss, chain] : kSegmentCases) {
        CAPTURE(what);
        const NothingLost nothing_lost;
        rte_mbuf* packet = mbuf(bytes(made, Checksum::Partial), chain.first, chain.rest);
        request(packet, made, mss);
        std::array<rte_mbuf*, 128> out;
        const unsigned n = segment(packet, out);
        const std::vector<Bytes> expected = segments(made, mss);
        CHECK(n == expected.size());
        for (unsigned i = 0; i < n; i++) {
            CAPTURE(i);
            if (i < expected.size()) CHECK(bytes(out[i]) == expected[i]);
            CHECK((out[i]->ol_flags & kRequests) == 0);
        }
        rte_pktmbuf_free_bulk(out.data(), n);
    }
}

TEST_CASE("a super-packet that can't be cut is gone, and nothing else") {
    const Made v4{.payload = 5000}, v6{.v6 = true, .payload = 5000};
    struct Refused {
        std::string what;
        Made made;
        void (*spoil)(rte_mbuf*);
        size_t first = SIZE_MAX;
        size_t room = 128;
    };
    const Refused cases[] = {
        {"an MSS of 0", v4, [](rte_mbuf* packet) { packet->tso_segsz = 0; }},
        {"no L4 length", v4, [](rte_mbuf* packet) { packet->l4_len = 0; }},
        {"an L4 length of 19", v4, [](rte_mbuf* packet) { packet->l4_len = 19; }},
        {"an L2 length of 13", v4, [](rte_mbuf* packet) { packet->l2_len = 13; }},
        {"an L3 length of 19", v4, [](rte_mbuf* packet) { packet->l3_len = 19; }},
        {"an L3 length of 39 in IPv6", v6, [](rte_mbuf* packet) { packet->l3_len = 39; }},
        {"headers longer than the packet", {}, [](rte_mbuf* packet) { packet->l4_len = 60; }},
        {"headers longer than an mbuf's headroom", v4, [](rte_mbuf* packet) { packet->l3_len = 128 - 14 - 20 + 1; }},
        {"headers that go on in the second buffer", v4, [](rte_mbuf*) {}, 53},
        {"no payload", {}, [](rte_mbuf*) {}},
        {"no room at all", v4, [](rte_mbuf*) {}, SIZE_MAX, 0},
        {"one segment more than there is room for", v4, [](rte_mbuf*) {}, SIZE_MAX, 4},
        {"a great many segments", v4, [](rte_mbuf* packet) { packet->tso_segsz = 1; }},
    };
    for (const Refused& c : cases) {
        CAPTURE(c.what);
        const NothingLost nothing_lost;
        rte_mbuf* packet = mbuf(bytes(c.made, Checksum::Partial), c.first);
        request(packet, c.made, 1000);
        c.spoil(packet);
        std::vector<rte_mbuf*> out(c.room);
        CHECK(segment(packet, out) == 0);
    }
}

TEST_CASE("a super-packet for which the pool is too small is gone") {
    for (unsigned left = 0; left < 6; left++) {
        CAPTURE(left);
        const NothingLost nothing_lost;
        const Made made{.payload = 5000};
        rte_mbuf* packet = mbuf(bytes(made, Checksum::Partial));
        request(packet, made, 1000);
        std::vector<rte_mbuf*> held(rte_mempool_avail_count(pool()) - left);
        REQUIRE(rte_pktmbuf_alloc_bulk(pool(), held.data(), static_cast<unsigned>(held.size())) == 0);
        std::array<rte_mbuf*, 128> out;
        const unsigned n = segment(packet, out);
        CHECK(n == (left < 5 ? 0 : 5));
        rte_pktmbuf_free_bulk(out.data(), n);
        rte_pktmbuf_free_bulk(held.data(), static_cast<unsigned>(held.size()));
    }
}
