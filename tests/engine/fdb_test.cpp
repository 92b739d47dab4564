// SPDX-License-Identifier: Apache-2.0
#include "engine/fdb/fdb.hpp"

#include <doctest/doctest.h>

#include <random>
#include <thread>
#include <unordered_map>
#include <vector>

using namespace turnout;

namespace {

Fdb::Learned learn(Fdb& fdb, uint64_t mac, PortNo port, uint32_t now = 0, uint16_t vlan = 0) {
    const uint64_t key = Fdb::key(mac, vlan);
    return fdb.learn(key, fdb.hash(key), port, now);
}

PortNo find(const Fdb& fdb, uint64_t mac, uint32_t now = 0, uint16_t vlan = 0) {
    const uint64_t key = Fdb::key(mac, vlan);
    return fdb.find(key, fdb.hash(key), now);
}

}  // namespace

TEST_CASE("an address is found on the port where it was last heard, per VLAN") {
    Fdb fdb(1024, 300);
    CHECK(find(fdb, 0xa) == kNoPort);
    CHECK(learn(fdb, 0xa, 1) == Fdb::Learned::New);
    CHECK(learn(fdb, 0xa, 1) == Fdb::Learned::Known);
    CHECK(find(fdb, 0xa) == 1);
    CHECK(find(fdb, 0xa, 0, 7) == kNoPort);
    CHECK(learn(fdb, 0xa, 2, 0, 7) == Fdb::Learned::New);
    CHECK(find(fdb, 0xa) == 1);
    CHECK(find(fdb, 0xa, 0, 7) == 2);

    const uint32_t before = fdb.generation();
    CHECK(learn(fdb, 0xa, 3) == Fdb::Learned::Moved);
    CHECK(find(fdb, 0xa) == 3);
    CHECK(fdb.generation() != before);
}

TEST_CASE("a static address neither ages nor moves nor makes room, until it is removed") {
    Fdb fdb(16, 10);
    const uint64_t key = Fdb::key(0xa, 7);
    CHECK(learn(fdb, 0xa, 1, 100, 7) == Fdb::Learned::New);
    const uint32_t before = fdb.generation();
    CHECK(fdb.add_static(key, 2));
    CHECK(fdb.generation() != before);
    CHECK(learn(fdb, 0xa, 1, 101, 7) == Fdb::Learned::Known);
    CHECK(learn(fdb, 0xa, 2, 101, 7) == Fdb::Learned::Known);
    for (uint64_t mac = 0x100; mac < 0x10000; mac++) learn(fdb, mac, 3, 101);
    fdb.expire(1'000'000);
    CHECK(find(fdb, 0xa, 1'000'000, 7) == 2);
    CHECK(fdb.flush([](const Fdb::Entry& entry) { return !entry.is_static(); }) == 0);
    CHECK(fdb.statics().size() == 1);

    CHECK(fdb.add_static(key, 4));
    CHECK(find(fdb, 0xa, 0, 7) == 4);
    CHECK(fdb.remove_static(key));
    CHECK(find(fdb, 0xa, 0, 7) == kNoPort);
    CHECK_FALSE(fdb.remove_static(key));

    CHECK(fdb.add_static(key, 4));
    CHECK(fdb.flush([](const Fdb::Entry& entry) { return entry.port == 4; }) == 1);
    CHECK(fdb.statics().empty());
    const Fdb::Totals totals = fdb.totals();
    CHECK(totals.learned > 0);
    CHECK(totals.evicted > 0);
    CHECK(totals.expired > 0);
}

TEST_CASE("an address not heard of for longer than the aging time is not found, and collected") {
    Fdb fdb(1024, 10);
    learn(fdb, 0xa, 1, 100);
    CHECK(find(fdb, 0xa, 110) == 1);
    CHECK(find(fdb, 0xa, 111) == kNoPort);
    CHECK(learn(fdb, 0xa, 1, 105) == Fdb::Learned::Known);  // heard again before anybody collected it
    CHECK(find(fdb, 0xa, 111) == 1);

    const uint32_t before = fdb.generation();
    CHECK(fdb.expire(115) == 0);
    CHECK(fdb.generation() == before);
    CHECK(fdb.expire(116) == 1);
    CHECK(fdb.generation() != before);
    unsigned seen = 0;
    fdb.for_each(0, [&](const Fdb::Entry&) { seen++; });
    CHECK(seen == 0);

    fdb.set_aging(5);
    learn(fdb, 0xb, 1, 200);
    CHECK(find(fdb, 0xb, 206) == kNoPort);
}

TEST_CASE("flush takes what it is asked to take") {
    Fdb fdb(1024, 300);
    for (uint64_t mac = 0; mac < 100; mac++) learn(fdb, mac, static_cast<PortNo>(mac % 2));
    CHECK(fdb.flush([](const Fdb::Entry& entry) { return entry.port == 1; }) == 50);
    CHECK(find(fdb, 2) == 0);
    CHECK(find(fdb, 3) == kNoPort);
}

TEST_CASE("the table grows to the room asked for: random addresses are all found, then") {
    constexpr unsigned kAddresses = 100'000;
    Fdb fdb(kAddresses, 300);
    std::mt19937_64 random(1);
    std::unordered_map<uint64_t, PortNo> oracle;
    while (oracle.size() < kAddresses) oracle[random() & 0xffff'ffff'ffff] = static_cast<PortNo>(random() % 100);
    for (int round = 0; round < 8; round++) {
        for (const auto& [mac, port] : oracle) learn(fdb, mac, port);
        if (auto old = fdb.grow()) fdb.retire(std::move(old), 0);
    }
    for (const auto& [mac, port] : oracle) learn(fdb, mac, port);
    unsigned found = 0;
    for (const auto& [mac, port] : oracle) found += find(fdb, mac) == port;
    CHECK(found == kAddresses);
    CHECK_FALSE(fdb.grow());
}

TEST_CASE("addresses move to their other bucket before one is pushed out: no more room is asked for than is needed") {
    constexpr unsigned kAddresses = 100'000;
    Fdb fdb(1'000'000, 300);
    std::mt19937_64 random(2);
    std::vector<uint64_t> macs(kAddresses);
    for (uint64_t& mac : macs) mac = random() & 0xffff'ffff'ffff;
    uint64_t slots = 0;
    for (int round = 0; round < 8; round++) {
        for (const uint64_t mac : macs) learn(fdb, mac, 1);
        auto old = fdb.grow();
        if (!old) break;
        slots = 2 * old->slots().size();
        fdb.retire(std::move(old), 0);
    }
    CHECK(slots <= 4 * kAddresses);
    for (const uint64_t mac : macs) CHECK(find(fdb, mac) == 1);
}

TEST_CASE("what is learned while the table grows is not lost") {
    Fdb fdb(1 << 20, 300);
    for (uint64_t mac = 0; mac < 4200; mac++) learn(fdb, mac, 1);
    auto old = fdb.grow();
    REQUIRE(old);
    for (uint64_t mac = 0; mac < 2000; mac++) learn(fdb, mac, 2);
    fdb.retire(std::move(old), 0);
    unsigned lost = 0;  // to a full bucket, before it grew
    for (uint64_t mac = 0; mac < 4200; mac++) {
        const PortNo port = find(fdb, mac);
        lost += port == kNoPort;
        if (port != kNoPort) CHECK(port == (mac < 2000 ? 2 : 1));
    }
    CHECK(lost < 10);
}

TEST_CASE("a flood of addresses pushes out those longest unheard of, not those in use") {
    Fdb fdb(64, 300);
    std::vector<uint64_t> in_use{1, 2, 3, 4, 5, 6, 7, 8};
    for (uint32_t now = 1; now < 200; now++) {
        for (const uint64_t mac : in_use) learn(fdb, mac, 1, now);
        for (uint64_t i = 0; i < 50; i++) learn(fdb, 1000 + now * 50 + i, 2, now - 1);
    }
    for (const uint64_t mac : in_use) CHECK(find(fdb, mac, 200) == 1);
}

TEST_CASE("workers learn, control flushes and expires: an entry is never torn") {
    // Each address has a port that follows from it, so that a reader can tell a mixture of two entries.
    Fdb fdb(256, 1);
    std::atomic<bool> stop{false};
    std::atomic<unsigned> torn{0};
    const auto work = [&](uint64_t seed) {
        std::mt19937_64 random(seed);
        for (uint32_t now = 0; !stop; now++) {
            const uint64_t mac = random() % 4096;
            learn(fdb, mac, static_cast<PortNo>(mac % 1000), now / 10'000);
            const uint64_t other = random() % 4096;
            const PortNo port = find(fdb, other, now / 10'000);
            if (port != kNoPort && port != other % 1000) torn++;
        }
    };
    std::thread first(work, 1), second(work, 2);
    for (int i = 0; i < 2000; i++) {
        fdb.expire(0);
        fdb.flush([](const Fdb::Entry& entry) { return entry.port % 3 == 0; });
    }
    stop = true;
    first.join();
    second.join();
    CHECK(torn == 0);
}
