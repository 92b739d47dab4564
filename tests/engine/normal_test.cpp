// SPDX-License-Identifier: Apache-2.0
// NORMAL without DPDK: headers in, verdicts out.
#include "engine/classify/normal.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstring>

#include "engine/cache/flow_cache.hpp"

using namespace turnout;

namespace {

constexpr uint64_t kA = 0x0a0000000002, kB = 0x0b0000000002, kC = 0x0c0000000002, kBroadcast = 0xffff'ffff'ffff;

struct Packet {
    uint64_t dst, src;  // MAC addresses, the first byte lowest
    uint16_t vid;
};

struct Bridge {
    Fdb fdb{1024, 300};
    PortVlans vlans;

    Verdict one(PortNo in, Packet packet, uint32_t now = 0) {
        std::array<uint8_t, 16> frame{};
        std::memcpy(frame.data(), &packet.dst, 6);
        std::memcpy(frame.data() + 6, &packet.src, 6);
        L2Lookup lookup;
        prepare(fdb, vlans, frame.data(), packet.vid, lookup);
        Verdict verdict;
        normal(fdb, in, now, {&lookup, 1}, {&verdict, 1});
        return verdict;
    }
};

}  // namespace

TEST_CASE("unknown destinations flood, known ones go to their port") {
    Bridge bridge;
    CHECK(bridge.one(1, {kB, kA, 0}).is_flood());
    CHECK(bridge.one(2, {kA, kB, 0}).to == 1);
    CHECK(bridge.one(1, {kB, kA, 0}).to == 2);
    CHECK(bridge.one(1, {kBroadcast, kA, 0}).is_flood());
}

TEST_CASE("a station that moved is found at its new port with the next packet") {
    Bridge bridge;
    bridge.one(1, {kB, kA, 0});
    CHECK(bridge.one(2, {kA, kC, 0}).to == 1);
    bridge.one(3, {kB, kA, 0});
    CHECK(bridge.one(2, {kA, kC, 0}).to == 3);
}

TEST_CASE("a packet for its own port's side is not sent back") {
    Bridge bridge;
    bridge.one(1, {kB, kA, 0});
    const Verdict verdict = bridge.one(1, {kA, kC, 0});
    CHECK(!verdict.is_output());
    CHECK(verdict.reason() == Drop::SamePort);
}

TEST_CASE("group addresses are never learned") {
    Bridge bridge;
    bridge.one(1, {kB, 0x0000'005e'0001 | 0x01, 0});
    unsigned learned = 0;
    bridge.fdb.for_each(0, [&](const Fdb::Entry&) { learned++; });
    CHECK(learned == 0);
}

TEST_CASE("the sixteen reserved group addresses stay on their link, the seventeenth does not") {
    Bridge bridge;
    for (uint64_t last = 0; last < 16; last++) {
        const Verdict verdict = bridge.one(1, {last << 40 | 0x0000'00c2'8001, kA, 0});
        CHECK(verdict.reason() == Drop::ReservedMulticast);
    }
    CHECK(bridge.one(1, {uint64_t{0x10} << 40 | 0x0000'00c2'8001, kA, 0}).is_flood());
}

TEST_CASE("a VLAN learns on its own, and a port that lacks it drops") {
    Bridge bridge;
    bridge.one(1, {kB, kA, 10});
    CHECK(bridge.one(2, {kA, kB, 20}).is_flood());
    CHECK(bridge.one(2, {kA, kB, 10}).to == 1);
    bridge.vlans = {VlanMode::Access, 10, nullptr};
    CHECK(bridge.one(2, {kA, kB, 10}).reason() == Drop::VlanNotAllowed);
    CHECK(bridge.one(2, {kA, kB, 0}).to == 1);
}

TEST_CASE("an aged address floods again") {
    Bridge bridge;
    bridge.one(1, {kB, kA, 0}, 0);
    CHECK(bridge.one(2, {kA, kB, 0}, 300).to == 1);
    CHECK(bridge.one(2, {kA, kB, 0}, 301).is_flood());
}

TEST_CASE(
    "the flow cache answers for one second, one generation, one plan, one port, and rests where it does not pay") {
    FlowCache cache;
    const FlowCache::Key key = FlowCache::key(kA, kB, 5, 1);
    const uint64_t hash = 12345, stamp = FlowCache::stamp(1, 2, 3);
    Verdict verdict;
    CHECK_FALSE(cache.find(key, hash, stamp, verdict));
    cache.insert(key, hash, stamp, Verdict::output(9, 5));
    CHECK(cache.find(key, hash, stamp, verdict));
    CHECK(verdict.to == 9);
    for (const uint64_t other : {FlowCache::stamp(2, 2, 3), FlowCache::stamp(1, 3, 3), FlowCache::stamp(1, 2, 4)})
        CHECK_FALSE(cache.find(key, hash, other, verdict));
    for (const FlowCache::Key& other : {FlowCache::key(kA, kB, 5, 2), FlowCache::key(kA, kB, 6, 1),
                                        FlowCache::key(kB, kA, 5, 1), FlowCache::key(kA, kC, 5, 1)})
        CHECK_FALSE(cache.find(other, hash, stamp, verdict));

    for (int i = 0; i < 1000 && !cache.resting(); i++) cache.note(32, 32);
    CHECK_FALSE(cache.resting());
    for (int i = 0; i < 1000 && !cache.resting(); i++) cache.note(32, 0);
    CHECK(cache.resting());
    for (int i = 0; i < 100'000 && cache.resting(); i++) cache.note(32, 0);
    CHECK_FALSE(cache.resting());
}
