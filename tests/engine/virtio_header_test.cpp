// SPDX-License-Identifier: Apache-2.0
#include "engine/port/virtio_header.hpp"

#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <random>
#include <string>

#include "engine/tx/offload.hpp"
#include "tests/engine/packets.hpp"

using namespace turnout;
using namespace turnout::test;

namespace {

constexpr uint64_t kTso = RTE_MBUF_F_TX_TCP_SEG;

// What a kernel says of such a packet when it leaves checksum and segmentation to the device.
VirtioHeader asks(const Made& made, uint16_t mss = 0) {
    VirtioHeader header;
    header.flags = VirtioHeader::kNeedsChecksum;
    header.csum_start = static_cast<uint16_t>(made.l2() + made.l3());
    header.csum_offset = made.tcp ? 16 : 6;
    if (mss) {
        header.gso_type = made.v6 ? VirtioHeader::kTcp6 : VirtioHeader::kTcp4;
        header.gso_size = mss;
        header.hdr_len = static_cast<uint16_t>(made.headers());
    }
    return header;
}

void check_equal(const VirtioHeader& a, const VirtioHeader& b) {
    CHECK(a.flags == b.flags);
    CHECK(a.gso_type == b.gso_type);
    CHECK(a.hdr_len == b.hdr_len);
    CHECK(a.gso_size == b.gso_size);
    CHECK(a.csum_start == b.csum_start);
    CHECK(a.csum_offset == b.csum_offset);
}

}  // namespace

TEST_CASE("a request is passed on as it was") {
    struct Case {
        std::string what;
        Made made;
        uint16_t mss;
    };
    const Case cases[] = {
        {"TCP on IPv4", {.payload = 100}, 0},
        {"TCP on IPv4 with options, tagged", {.vlan = true, .ip_extra = 8, .payload = 100}, 0},
        {"UDP on IPv4", {.tcp = false, .payload = 100}, 0},
        {"UDP on IPv6, tagged", {.v6 = true, .vlan = true, .tcp = false, .payload = 100}, 0},
        {"segments on IPv4", {.tcp_options = 12, .payload = 5000}, 1448},
        {"segments on IPv4, tagged", {.vlan = true, .payload = 5000}, 1448},
        {"segments on IPv6", {.v6 = true, .payload = 5000}, 1440},
        {"segments on IPv6 with a hop-by-hop header", {.v6 = true, .ip_extra = 8, .payload = 5000}, 1440},
    };
    for (const auto& [what, made, mss] : cases) {
        CAPTURE(what);
        const NothingLost nothing_lost;
        const Bytes frame = bytes(made, Checksum::Partial);
        rte_mbuf* packet = mbuf(frame);
        const VirtioHeader header = asks(made, mss);
        take_request(header, packet);
        CHECK(bytes(packet) == frame);
        CHECK((packet->ol_flags & (made.v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4)) != 0);
        check_equal(give_request(packet), header);
        rte_pktmbuf_free(packet);
    }
}

TEST_CASE("ECN of a super-packet is not a type of its own") {
    const NothingLost nothing_lost;
    const Made made{.payload = 5000};
    rte_mbuf* packet = mbuf(bytes(made, Checksum::Partial));
    VirtioHeader header = asks(made, 1448);
    header.gso_type |= VirtioHeader::kEcn;
    take_request(header, packet);
    check_equal(give_request(packet), asks(made, 1448));
    rte_pktmbuf_free(packet);
}

TEST_CASE("nothing asked for, nothing noted") {
    const NothingLost nothing_lost;
    rte_mbuf* packet = mbuf(bytes(Made{.payload = 100}, Checksum::Full));
    take_request({}, packet);
    CHECK(packet->ol_flags == RTE_MBUF_F_EXTERNAL);
    check_equal(give_request(packet), {});
    rte_pktmbuf_free(packet);
}

TEST_CASE("a checksum that DPDK has no request for is computed at once") {
    struct Case {
        std::string what;
        Made made;
        void (*change)(Bytes&);  // makes it no plain TCP or UDP to DPDK
        size_t first = SIZE_MAX;
    };
    const Case cases[] = {
        {"behind an unknown EtherType", {.payload = 101}, [](Bytes& frame) { frame[12] = 0x12; }},
        {"a fragment", {.tcp = false, .payload = 100}, [](Bytes& frame) { frame[20] = 0x20; }},
        {"an IPv6 header longer than an mbuf can tell", {.v6 = true, .ip_extra = 512, .payload = 100}, [](Bytes&) {}},
        {"in two buffers", {.payload = 101}, [](Bytes& frame) { frame[12] = 0x12; }, 53},
    };
    for (const Case& c : cases) {
        CAPTURE(c.what);
        const NothingLost nothing_lost;
        Bytes partial = bytes(c.made, Checksum::Partial), full = bytes(c.made, Checksum::Full);
        c.change(partial);
        c.change(full);
        rte_mbuf* packet = mbuf(partial, c.first);
        take_request(asks(c.made), packet);
        CHECK(bytes(packet) == full);
        check_equal(give_request(packet), {});
        rte_pktmbuf_free(packet);
    }
}

TEST_CASE("headers that ask for the impossible change nothing") {
    const Made tcp{.payload = 4};
    struct Case {
        std::string what;
        void (*change)(VirtioHeader&);
    };
    const Case cases[] = {
        {"csum_start at the packet's end", [](VirtioHeader& header) { header.csum_start = 58; }},
        {"csum_start beyond the packet", [](VirtioHeader& header) { header.csum_start = 0xffff; }},
        {"csum_offset at the packet's end", [](VirtioHeader& header) { header.csum_offset = 58 - 34; }},
        {"csum_offset half in the packet", [](VirtioHeader& header) { header.csum_offset = 57 - 34; }},
        {"both at their greatest", [](VirtioHeader& header) { header.csum_start = header.csum_offset = 0xffff; }},
        {"segments without a checksum",
         [](VirtioHeader& header) { header.flags = 0, header.gso_type = 1, header.gso_size = 1; }},
    };
    for (const Case& c : cases) {
        CAPTURE(c.what);
        const NothingLost nothing_lost;
        const Bytes frame = bytes(tcp, Checksum::Partial);
        REQUIRE(frame.size() == 58);
        rte_mbuf* packet = mbuf(frame);
        VirtioHeader header = asks(tcp);
        c.change(header);
        take_request(header, packet);
        CHECK(bytes(packet) == frame);
        check_equal(give_request(packet), {});
        rte_pktmbuf_free(packet);
    }
}

TEST_CASE("segmentation that can't be done is not asked for") {
    struct Case {
        std::string what;
        Made made;
        void (*change)(VirtioHeader&, Bytes&);
    };
    const Case cases[] = {
        {"of 0 bytes", {.payload = 5000}, [](VirtioHeader& header, Bytes&) { header.gso_size = 0; }},
        {"of an unknown type", {.payload = 5000}, [](VirtioHeader& header, Bytes&) { header.gso_type = 5; }},
        {"a TCP header of 16 bytes", {.payload = 5000}, [](VirtioHeader&, Bytes& frame) { frame[46] = 0x40; }},
        {"UDP", {.tcp = false, .payload = 5000}, [](VirtioHeader&, Bytes&) {}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.what);
        const NothingLost nothing_lost;
        VirtioHeader header = asks(c.made, 1448);
        Bytes frame = bytes(c.made, Checksum::Partial);
        c.change(header, frame);
        rte_mbuf* packet = mbuf(frame);
        take_request(header, packet);
        CHECK((packet->ol_flags & kTso) == 0);
        check_equal(give_request(packet), asks(c.made));
        rte_pktmbuf_free(packet);
    }
}

// Under the sanitizers this finds what reads or writes past a packet.
TEST_CASE("any header on any bytes leads to whole packets") {
    std::mt19937 random(1);
    const auto below = [&](size_t bound) { return static_cast<size_t>(random()) % bound; };
    for (unsigned turn = 0; turn < 20'000; turn++) {
        CAPTURE(turn);
        const NothingLost nothing_lost;
        const Made made{.v6 = below(2) == 0,
                        .vlan = below(2) == 0,
                        .tcp = below(4) != 0,
                        .ip_extra = below(3) * 8,
                        .tcp_options = below(11) * 4,
                        .payload = below(4000)};
        Bytes frame = bytes(made, Checksum::Partial);
        for (size_t changes = below(3); changes > 0; changes--)
            frame[below(std::min<size_t>(frame.size(), 80))] = static_cast<uint8_t>(random());
        if (below(3) == 0) frame.resize(1 + below(frame.size()));

        VirtioHeader header = asks(made, static_cast<uint16_t>(below(2) * below(2000)));
        if (below(3) == 0) {
            auto raw = std::bit_cast<std::array<uint8_t, sizeof header>>(header);
            raw[below(raw.size())] = static_cast<uint8_t>(random());
            header = std::bit_cast<VirtioHeader>(raw);
        }
        rte_mbuf* packet = mbuf(frame, 14 + below(120), 20 + below(1500));
        take_request(header, packet);
        CHECK(packet->pkt_len == frame.size());
        give_request(packet);
        if (packet->ol_flags & kTso) {
            std::array<rte_mbuf*, 128> out;
            const unsigned n = segment(packet, out);
            size_t payload = 0;
            for (unsigned i = 0; i < n; i++) payload += out[i]->pkt_len;
            CHECK((n == 0 || payload > frame.size() - made.headers()));
            rte_pktmbuf_free_bulk(out.data(), n);
        } else {
            finish_checksums(packet);
            CHECK(packet->pkt_len == frame.size());
            rte_pktmbuf_free(packet);
        }
    }
}
