// SPDX-License-Identifier: Apache-2.0
// The flow cache of pipelines: what it gives, when it gives nothing, and that no packet sees a difference.
#include "engine/cache/walk_cache.hpp"

#include <doctest/doctest.h>

#include <random>
#include <set>
#include <string>

#include "tests/engine/scene.hpp"

using namespace turnout;
using namespace turnout::test;
using namespace turnout::of;

namespace {

using Policy = WalkCache::Policy;

// Random pipelines over few values, so that rules overlap and packets come again.
class Dice {
public:
    explicit Dice(uint32_t seed, bool forwards = false) : only_forwards(forwards), engine_(seed) {}
    uint32_t below(uint32_t n) { return static_cast<uint32_t>(engine_() % n); }

    Match match() {
        Match made;
        const auto with = [&](std::initializer_list<std::pair<std::string_view, uint64_t>> fields) {
            const Match more = test::match(fields);
            of_add(made, more);
        };
        if (below(3) == 0) with({{"in_port", 1 + below(3)}});
        if (below(3) == 0) with({{"reg0", below(2)}});
        if (below(4) == 0) with({{"metadata", below(2)}});
        if (below(4) == 0) with({{"dl_vlan", below(2)}});
        if (below(2) == 0) {
            with({{"eth_type", 0x800}});
            if (below(2)) with({{"ip_src", below(4)}});
            if (below(3) == 0) with({{"nw_ttl", 62 + below(3)}});
            if (below(2)) with({{"nw_proto", 17}, {"udp_dst", below(4)}});
        }
        return made;
    }

    Action action(uint8_t table) {
        switch (below(12)) {
            case 0:
                return set("reg0", below(2));
            case 1:
                return set("udp_dst", below(4));
            case 2:
                return {DecTtl{}};
            case 3:
                return {PushVlan{Be16::of(0x8100)}};
            case 4:
                return {PopVlan{}};
            case 5:
                return {Move{bits("udp_src", 0, 1), bits("reg0", 0, 1)}};
            case 6:
            case 7:
                return {Resubmit{below(2) ? kPortInPort : 1 + below(3), static_cast<uint8_t>(table + 1), true}};
            case 8:
                return {Clone{std::make_shared<const Actions>(Actions{set("ip_src", below(4)), output(1 + below(8))})}};
            case 9:
                return {ToGroup{1}};
            case 10:
                return {StackPush{bits("udp_src", 0, 2)}};
            default:
                return output(1 + below(8));
        }
    }

    Program program(uint8_t table) {
        Program made;
        if (only_forwards) {
            if (below(4)) made.apply = {output(1 + below(8))};
            if (below(2)) made = {}, made.has_goto = true, made.goto_table = static_cast<uint8_t>(table + 1 + below(2));
            return made;
        }
        for (uint32_t n = below(4); n > 0; n--) made.apply.push_back(action(table));
        if (below(6) == 0) made.clear = true;
        if (below(3) == 0) made.has_write = true, made.write = {set("nw_ttl", 60 + below(3)), output(1 + below(8))};
        if (below(4) == 0)
            made.has_metadata = true, made.metadata = Be64::of(below(2)), made.metadata_mask = Be64::of(1);
        if (below(2)) made.has_goto = true, made.goto_table = static_cast<uint8_t>(table + 1 + below(2));
        return made;
    }

    Bytes frame() {
        Headers headers;
        if (below(8) == 0) headers.kind = Headers::Arp;
        if (below(4) == 0) headers.tags = {{0x8100, static_cast<uint16_t>(below(2))}};
        if (below(10) == 0) headers.fragment = below(2) ? 0x2000 : 0x2002;
        if (below(10) == 0) headers.labels = {below(3) << 12 | 9};
        headers.ip_src = below(4);
        headers.ttl = static_cast<uint8_t>(below(12) ? 62 + below(3) : 1);
        if (below(8) == 0) headers.proto = 6;
        if (below(10) == 0) headers.ip_options = 4;
        headers.sport = static_cast<uint16_t>(below(4));
        headers.dport = static_cast<uint16_t>(below(4));
        return test::frame(headers);
    }

    const bool only_forwards;  // rules do nothing else

private:
    static void of_add(Match& match, const Match& more) {
        for (size_t i = 0; i < kKeyWords; i++) {
            set_word(match.value, i, word(match.value, i) | word(more.value, i));
            set_word(match.mask, i, word(match.mask, i) | word(more.mask, i));
        }
    }
    std::mt19937 engine_;
};

// Packets of one burst may overtake those of other kinds.
std::map<uint32_t, std::multiset<std::string>> sorted(const Frames& frames) {
    std::map<uint32_t, std::multiset<std::string>> sorted;
    for (const auto& [port, sent] : frames)
        for (const Bytes& each : sent) sorted[port].emplace(each.begin(), each.end());
    return sorted;
}

struct Dual {
    Scene cached{Policy::Always}, plain{Policy::Never};
    std::vector<std::pair<Rule*, Rule*>> rules;

    void add(Dice& dice) {
        const auto table = static_cast<uint8_t>(dice.below(6));
        const Match match = dice.match();
        const Program program = dice.program(table);
        const uint16_t priority = priority_++;  // no ties, of which any may be found
        rules.emplace_back(cached.add(table, priority, match, program), plain.add(table, priority, match, program));
    }
    void remove(size_t i) {
        cached.remove(rules[i].first);
        plain.remove(rules[i].second);
        rules.erase(rules.begin() + static_cast<ptrdiff_t>(i));
    }
    void publish() { cached.publish(), plain.publish(); }

private:
    uint16_t priority_ = 0;
};

}  // namespace

TEST_CASE("packets see no difference between cache and walk, while rules come and go") {
    for (uint32_t seed = 0; seed < 60; seed++) {
        CAPTURE(seed);
        const NothingLost nothing_lost;
        Dice dice(seed, seed % 3 == 0);
        Dual dual;
        Group group;
        group.type = Group::Select;
        group.id = 1;
        for (uint32_t i = 1; i < 4; i++) {
            Bucket bucket;
            bucket.id = i;
            bucket.watch_port = i;
            bucket.actions = {set("reg0", i & 1), {Resubmit{kPortInPort, 5, true}}, output(i)};
            group.buckets.push_back(bucket);
        }
        dual.cached.group(group);
        dual.plain.group(group);
        for (int i = 0; i < 30; i++) dual.add(dice);
        dual.publish();
        for (unsigned burst = 0; burst < 60; burst++) {
            CAPTURE(burst);
            const uint32_t in_port = 1 + dice.below(3);
            std::vector<Bytes> frames;
            for (unsigned i = 0; i < kBurst; i++) frames.push_back(dice.frame());
            REQUIRE(sorted(dual.cached.forward(in_port, frames)) == sorted(dual.plain.forward(in_port, frames)));
            for (const auto& [one, other] : dual.rules)
                REQUIRE(dual.cached.tally(one->tally).packets.get() == dual.plain.tally(other->tally).packets.get());
            for (Scene* scene : {&dual.cached, &dual.plain}) scene->wire(2).set_up(burst % 3);
            if (burst % (dice.only_forwards ? 2 : 4)) continue;
            if (dice.below(2)) dual.remove(dice.below(static_cast<uint32_t>(dual.rules.size())));
            dual.add(dice);
            dual.publish();
        }
    }
}

namespace {

Bytes usual(uint16_t sport, uint16_t dport) {
    Headers headers;
    headers.sport = sport;
    headers.dport = dport;
    return frame(headers);
}

WalkCache::Kind kind_of(const WalkCache& cache, const Bytes& frame) {
    WalkCache::Kind kind;
    cache.sort(frame.data(), kind);
    return kind;
}

}  // namespace

TEST_CASE("an entry: found by its bytes, until the version, the plan, the port or the bytes that count change") {
    WalkCache cache;
    Changes changes;
    FlowKey mask{};
    mask.tp.src = Be16::of(0xffff);
    Rule rules[2]{};
    rules[1].table = 4;
    Trail trail, given;
    trail.write();
    trail.found(0, &rules[0]);
    trail.found(4, &rules[1]);
    trail.found(9, nullptr);

    cache.begin(mask, changes, 5, 1, 3);
    const WalkCache::Kind kind = kind_of(cache, usual(77, 1));
    CHECK(cache.find(kind) == nullptr);
    cache.insert(kind, trail, {});
    const WalkCache::Entry* entry = cache.find(kind);
    REQUIRE(entry);
    cache.give(*entry, given);
    const Rule* rule = nullptr;
    CHECK((given.next(0, rule) && rule == &rules[0]));
    CHECK((given.next(4, rule) && rule == &rules[1]));
    CHECK((given.next(9, rule) && rule == nullptr));
    CHECK_FALSE(given.next(10, rule));
    cache.give(*entry, given);
    CHECK_FALSE(given.next(1, rule));  // it went another way
    CHECK_FALSE(given.next(4, rule));

    CHECK(cache.find(kind_of(cache, usual(77, 9))) == entry);  // does not count
    CHECK(cache.find(kind_of(cache, usual(78, 1))) == nullptr);
    struct Other {
        Version version;
        uint32_t epoch;
        PortNo port;
    };
    for (const auto& [version, epoch, port] : {Other{6, 1, 3}, Other{5, 2, 3}, Other{5, 1, 4}}) {
        cache.begin(mask, changes, version, epoch, port);
        CHECK(cache.find(kind_of(cache, usual(77, 1))) == nullptr);
    }
    FlowKey more = mask;
    more.tp.dst = Be16::of(1);
    cache.begin(more, changes, 5, 1, 3);
    CHECK(cache.find(kind_of(cache, usual(77, 1))) == nullptr);
}

TEST_CASE("an entry whose rules only forward outlives changes of rules that want other packets") {
    WalkCache cache;
    Changes changes;
    FlowKey mask{};
    mask.net.ipv4_src = Be32::of(0xffffffff);
    mask.tp.src = mask.tp.dst = Be16::of(0xffff);
    Rule rule{};
    Trail trail;
    trail.write();
    trail.found(0, &rule);
    Version version = 1;
    const auto known = [&](int sport) {
        cache.begin(mask, changes, version, 1, 3);
        return cache.find(kind_of(cache, usual(static_cast<uint16_t>(sport), 2000))) != nullptr;
    };
    const auto insert = [&](int sport, bool plain) {
        cache.begin(mask, changes, version, 1, 3);
        cache.insert(kind_of(cache, usual(static_cast<uint16_t>(sport), 2000)), trail, {7, Drop::ByRule, plain});
    };
    const auto change = [&](const Match& match) {
        changes.note(match, version + 1);
        version++;
    };
    const auto port = [](const char* field, uint64_t value) {
        return match({{"eth_type", 0x800}, {"nw_proto", 17}, {field, value}});
    };

    change(port("udp_src", 9));  // a shape's first change voids everything
    for (const int sport : {1, 2, 3}) insert(sport, true);
    insert(4, false);
    change(port("udp_src", 2));
    CHECK((known(1) && !known(2) && known(3) && !known(4)));
    insert(2, true);
    version++;  // nothing noted: a group, say
    CHECK((known(1) && known(2)));
    change(port("udp_dst", 5));
    CHECK_FALSE(known(1));
    insert(1, true);
    change(port("udp_dst", 6));
    CHECK(known(1));
    change(port("udp_dst", 2000));
    CHECK_FALSE(known(1));
    insert(1, true);
    change(match({{"in_port", 3}}));  // as many shapes as are told apart, and some more
    for (unsigned bits = 1; bits < 32; bits++) {
        Match prefix = match({{"eth_type", 0x800}});
        prefix.mask.net.ipv4_src = Be32::of(~0u << bits);
        insert(1, true);
        change(prefix);
        CHECK_FALSE(known(1));
    }
    insert(1, true);
    change(port("udp_src", 1));
    CHECK_FALSE(known(1));
    for (int i = 0; i < 200; i++) change(port("udp_src", 9));  // one that comes often gets its place back
    insert(1, true);
    change(port("udp_src", 9));
    CHECK(known(1));
    change(port("udp_src", 1));
    CHECK_FALSE(known(1));
}

TEST_CASE("an entry whose rules only forward says where to count") {
    WalkCache cache;
    Changes changes;
    FlowKey mask{};
    mask.tp.src = Be16::of(0xffff);
    cache.begin(mask, changes, 1, 1, 3);
    Rule rules[Trail::kMost]{};
    Trail trail;
    trail.write();
    for (uint32_t i = 0; i < Trail::kMost; i++) {
        rules[i].table = static_cast<uint8_t>(i);
        rules[i].tally = 100 + i;
        trail.found(i, &rules[i]);
    }
    cache.insert(kind_of(cache, usual(5, 1)), trail, {7, Drop::ByRule, true});
    const WalkCache::Entry* entry = cache.find(kind_of(cache, usual(5, 1)));
    REQUIRE(entry);
    CHECK((entry->end.plain && entry->end.to == 7 && entry->tally == 100 && entry->rules == Trail::kMost));
    for (uint32_t i = 1; i < entry->rules; i++)
        CHECK((cache.counts(*entry)[i - 1].tally == 100 + i && cache.counts(*entry)[i - 1].table == i));
}

TEST_CASE("the cache is used while it is the cheaper way, rests while it is not, and is tried again") {
    WalkCache cache;
    const auto bursts = [&](uint64_t packets, uint64_t cycles_each) {
        for (uint64_t n = 0; n < packets; n += 32) cache.note(32, cache.timed() ? 32 * cycles_each : 0);
    };
    CHECK_FALSE(cache.use());
    bursts(1 << 17, 900);  // all is cold
    bursts(1 << 17, 100);
    CHECK(cache.use());
    bursts(1 << 20, 50);
    CHECK(cache.use());
    bursts(1 << 17, 500);  // a disturbance
    CHECK(cache.use());
    bursts(1 << 20, 95);
    CHECK_FALSE(cache.timed());
    unsigned rested = 0;
    for (; !cache.timed() && rested < 1 << 22; rested += 32) bursts(32, 0);
    CHECK(rested < 1 << 22);
}

TEST_CASE("more kinds than there is room for: those that are in mostly stay") {
    WalkCache cache;
    Changes changes;
    FlowKey mask{};
    mask.net.ipv4_src = Be32::of(0xffffffff);
    cache.begin(mask, changes, 1, 1, 3);
    Rule rule{};
    Trail trail;
    trail.write();
    trail.found(0, &rule);
    Bytes bytes = usual(1, 2);
    const auto source = [&](uint32_t address) {
        std::memcpy(bytes.data() + Usual::kIp + 12, &address, sizeof address);
        return kind_of(cache, bytes);
    };
    constexpr uint32_t kKinds = 1'200'000;
    unsigned found = 0;
    for (int round = 0; round < 3; round++) {
        found = 0;
        for (uint32_t i = 0; i < kKinds; i++) {
            const WalkCache::Kind kind = source(i);
            found += cache.find(kind) != nullptr;
            cache.insert(kind, trail, {});
        }
    }
    CHECK(found > 360'000);  // of 524,288; taking turns would find next to none
}
