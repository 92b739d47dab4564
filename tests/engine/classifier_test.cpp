// SPDX-License-Identifier: Apache-2.0
// The compiled classifier against a naive one: random masks over all fields, priorities, overlaps; rules come and go
// while other threads look up.
#include "engine/classify/classifier.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <deque>
#include <random>
#include <thread>
#include <vector>

#include "engine/flow/fields.hpp"

using namespace turnout;

namespace {

using Random = std::mt19937_64;

uint64_t below(Random& random, uint64_t n) { return random() % n; }

// Which masks and values a run draws from.
struct Pool {
    std::vector<FlowKey> masks;
    uint64_t value_bits;    // values are these bits of random ones: few, so that rules overlap
    unsigned prefixes = 0;  // of so many rules one is none; 0: none is

    Pool(Random& random, size_t n_masks, size_t max_fields, uint64_t bits) : value_bits(bits) {
        for (size_t i = 0; i < n_masks; i++) masks.push_back(mask(random, max_fields));
    }

    static FlowKey mask(Random& random, size_t max_fields) {
        FlowKey result{};
        for (uint64_t n = below(random, max_fields + 1); n; n--) {
            const FlowKey field = mask_of(fields()[below(random, fields().size())]);
            const uint64_t cut = below(random, 3) ? ~uint64_t{0} : random();
            for (size_t i = 0; i < kKeyWords; i++) set_word(result, i, word(result, i) | (word(field, i) & cut));
        }
        return result;
    }
    Match match(Random& random) const {
        if (prefixes && below(random, prefixes)) return prefix(random);
        Match result{key(random), masks[below(random, masks.size())]};
        for (size_t i = 0; i < kKeyWords; i++) set_word(result.value, i, word(result.value, i) & word(result.mask, i));
        return result;
    }
    FlowKey key(Random& random) const {
        FlowKey result;
        for (size_t i = 0; i < kKeyWords; i++) set_word(result, i, random() & value_bits);
        if (prefixes && below(random, 8)) {
            result.eth.type = Be16::of(0x800);
            result.net.ipv4_dst = address(random);
        }
        return result;
    }
    static Be32 address(Random& random) { return Be32::of(static_cast<uint32_t>(random()) & 0x8313'472f); }
    static Match prefix(Random& random) {
        Match result;
        const uint64_t length = below(random, 33);
        result.mask.eth.type = Be16::of(0xffff);
        result.value.eth.type = Be16::of(0x800);
        result.mask.net.ipv4_dst = Be32::of(length ? ~0u << (32 - length) : 0);
        result.value.net.ipv4_dst = {address(random).raw & result.mask.net.ipv4_dst.raw};
        return result;
    }
    // Longer prefixes have no lower ones than shorter ones, or the table's trie would not be used.
    uint16_t priority(const Match& match, Random& random) const {
        if (!prefixes) return static_cast<uint16_t>(below(random, 40));
        const int length = std::popcount(match.mask.net.ipv4_dst.raw);
        return static_cast<uint16_t>(100 + 2 * length + static_cast<int>(below(random, 3)));
    }
};

struct Known {
    Match match;
    uint16_t priority;
    TallyId id;
    Rule* rule;
};

// The highest priority that wants the key; -1: none.
int naive(const std::vector<Known>& rules, const FlowKey& key) {
    int best = -1;
    for (const Known& known : rules)
        if (known.priority > best && matches(known.match, key)) best = known.priority;
    return best;
}

// Whether what a lookup found is right.
bool right(const std::vector<Known>& rules, const FlowKey& key, const Rule* found) {
    const int best = naive(rules, key);
    if (best < 0 || !found) return best < 0 && !found;
    for (const Known& known : rules)
        if (known.id == found->tally)
            return known.priority == best && found->priority == best && matches(known.match, key);
    return false;
}

// Hands back after some more calls, as grace periods end; drained first and in any order with the tables.
class Late : public Reclaimer {
public:
    using Reclaimer::later;
    ~Late() override { drain(); }
    void later(void* what, void (*free)(void*)) override {
        waiting_.push_back({what, free});
        if (waiting_.size() > 64) pop();
    }
    void drain() {
        while (!waiting_.empty()) pop();
    }

private:
    struct Item {
        void* what;
        void (*free)(void*);
    };
    void pop() {
        const Item item = waiting_.front();
        waiting_.pop_front();
        item.free(item.what);
    }
    std::deque<Item> waiting_;
};

// Control's side of a run: what is in the table, changed a version at a time.
class Changer {
public:
    Changer(Classifier& table, const Pool& pool, uint64_t seed) : table_(table), pool_(pool), random_(seed) {}

    const std::vector<Known>& rules() const { return rules_; }
    Version version() const { return version_; }
    Random& random() { return random_; }

    // Prepares the next version: up to `n` changes that tend towards `target` rules.
    void prepare(size_t n, size_t target) {
        const Version next = version_ + 1;
        std::vector<Known> undone;
        for (; n; n--) {
            const bool grow = below(random_, 2 * target) >= rules_.size();
            if (rules_.empty() || (grow && below(random_, 4))) {
                const Match match = pool_.match(random_);
                add(match, pool_.priority(match, random_), next);
            } else if (below(random_, 3) == 0) {  // modify
                const size_t i = below(random_, rules_.size());
                const Known old = rules_[i];
                drop(i, next);
                add(old.match, old.priority, next);
            } else {
                drop(below(random_, rules_.size()), next);
            }
            if (below(random_, 8) == 0) {
                const Match match = pool_.match(random_);
                table_.undo(table_.insert(match, {nullptr, nullptr, next, 0, pool_.priority(match, random_), 0}));
            }
        }
    }
    void publish() {
        table_.published(++version_);
        if (below(random_, 4) == 0) table_.tidy(), table_.tidy();  // the second finds nothing changed since the first
    }

    void check_control() {
        REQUIRE(table_.size() == rules_.size());
        for (const Known& known : rules_) {
            Rule* const found = table_.find(known.match, known.priority, version_);
            REQUIRE(found);
            REQUIRE(table_.match_of(*found) == known.match);
            REQUIRE(table_.match_of(*known.rule) == known.match);
        }
        const Match wide = below(random_, 2) ? Match{} : pool_.match(random_);
        size_t expected = 0, seen = 0;
        for (const Known& known : rules_) expected += covers(wide, known.match);
        table_.for_each(wide, version_, [&](Rule& rule) {
            seen++;
            REQUIRE(covers(wide, table_.match_of(rule)));
        });
        REQUIRE(seen == expected);
        for (const Known& known : rules_)
            for (size_t i = 0; i < kKeyWords; i++) REQUIRE((word(known.match.mask, i) & ~word(table_.reads(), i)) == 0);
    }

private:
    void add(const Match& match, uint16_t priority, Version at) {
        if (table_.find(match, priority, at)) return;
        const TallyId id = ++last_id_;
        rules_.push_back({match, priority, id, table_.insert(match, {nullptr, nullptr, at, id, priority, 3})});
    }
    void drop(size_t i, Version at) {
        table_.remove(rules_[i].rule, at);
        rules_[i] = rules_.back();
        rules_.pop_back();
    }

    Classifier& table_;
    const Pool& pool_;
    Random random_;
    std::vector<Known> rules_;
    Version version_ = 1;
    TallyId last_id_ = 0;
};

// Half of the keys are what some rule wants.
FlowKey some_key(Random& random, const Pool& pool, const std::vector<Known>& rules) {
    FlowKey key = pool.key(random);
    if (rules.empty() || below(random, 2)) return key;
    const Match& match = rules[below(random, rules.size())].match;
    for (size_t i = 0; i < kKeyWords; i++)
        set_word(key, i, (word(key, i) & ~word(match.mask, i)) | word(match.value, i));
    return key;
}

size_t wrong_lookups(const Classifier& table, Random& random, const Pool& pool, const std::vector<Known>& rules,
                     Version at) {
    FlowKey keys[kBurst];
    const FlowKey* pointers[kBurst];
    const Rule* found[kBurst];
    const size_t n = 1 + below(random, kBurst);
    for (size_t i = 0; i < n; i++) {
        keys[i] = some_key(random, pool, rules);
        pointers[i] = &keys[i];
    }
    table.lookup({pointers, n}, at, {found, n});
    size_t wrong = 0;
    for (size_t i = 0; i < n; i++) wrong += !right(rules, keys[i], found[i]);
    return wrong;
}

void run(Reclaimer& reclaimer, uint64_t seed) {
    Random random(seed);
    constexpr uint64_t kBits[] = {0x0101'0101'0101'0101, 0x8000'0000'0000'0001, 0xffff'ffff'ffff'ffff, 0x0303};
    const Pool pool(random, 1 + below(random, 40), below(random, 12), kBits[below(random, std::size(kBits))]);
    Classifier table(reclaimer);
    Changer changer(table, pool, seed + 1);
    size_t target = 1 + below(random, 300);
    for (int round = 0; round < 60; round++) {
        if (round == 40) target = 3;  // back to few
        const std::vector<Known> before = changer.rules();
        const Version at = changer.version();
        changer.prepare(below(random, 20), target);
        CHECK(wrong_lookups(table, random, pool, before, at) == 0);  // not published: nobody sees any of it
        changer.publish();
        for (int i = 0; i < 4; i++) CHECK(wrong_lookups(table, random, pool, changer.rules(), changer.version()) == 0);
        if (round % 8 == 0) changer.check_control();
    }
}

}  // namespace

TEST_CASE("classifier: equal to a naive one, memory freed at once") {
    for (uint64_t seed = 0; seed < 60; seed++) {
        CAPTURE(seed);
        FreeAtOnce reclaimer;
        run(reclaimer, seed);
    }
}

TEST_CASE("classifier: equal to a naive one, memory freed late") {
    for (uint64_t seed = 1000; seed < 1060; seed++) {
        CAPTURE(seed);
        Late reclaimer;
        run(reclaimer, seed);
    }
}

namespace {

// Grace periods for a few readers, each of which says now and then that it holds nothing.
class Epochs : public Reclaimer {
public:
    using Reclaimer::later;
    explicit Epochs(size_t readers) : seen_(readers) {}
    ~Epochs() override {
        while (!waiting_.empty()) pop();
    }
    void later(void* what, void (*free)(void*)) override { waiting_.push_back({what, free, ++now_}); }
    void poll() {
        while (!waiting_.empty() && passed(waiting_.front().epoch)) pop();
    }
    void quiescent(size_t reader) { seen_[reader].store(now_.load()); }

private:
    struct Item {
        void* what;
        void (*free)(void*);
        uint64_t epoch;
    };
    bool passed(uint64_t epoch) const {
        for (const auto& seen : seen_)
            if (seen.load() < epoch) return false;
        return true;
    }
    void pop() {
        const Item item = waiting_.front();
        waiting_.pop_front();
        item.free(item.what);
    }
    std::atomic<uint64_t> now_{0};
    std::vector<std::atomic<uint64_t>> seen_;
    std::deque<Item> waiting_;
};

// Prefixes enough for a trie, beside some other rules; rules that break its condition, and few in the end.
void run_prefixes(Reclaimer& reclaimer, uint64_t seed) {
    Random random(seed);
    Pool pool(random, 5, 4, 0x0101'0101'0101'0101);
    pool.prefixes = 40;
    Classifier table(reclaimer);
    Changer changer(table, pool, seed + 1);
    for (int round = 0; round < 60; round++) {
        const std::vector<Known> before = changer.rules();
        const Version at = changer.version();
        changer.prepare(1 + below(random, 400), round < 40 ? 1800 : 200);
        for (int i = 0; i < 4; i++) CHECK(wrong_lookups(table, random, pool, before, at) == 0);
        if (round == 30 && seed < 4) {  // a short one above all
            Match match = Pool::prefix(random);
            match.mask.net.ipv4_dst = match.value.net.ipv4_dst = {};
            Rule* const rule = table.insert(match, {nullptr, nullptr, changer.version() + 1, 0, 999, 0});
            if (seed % 2) {
                table.undo(rule);
            } else {
                changer.publish();
                FlowKey key{};
                key.eth.type = Be16::of(0x800);
                for (const Known& known : changer.rules()) {
                    key.net.ipv4_dst = known.match.value.net.ipv4_dst;
                    const FlowKey* const pointer = &key;
                    const Rule* found;
                    table.lookup({&pointer, 1}, changer.version(), {&found, 1});
                    REQUIRE(found == rule);
                }
                table.remove(rule, changer.version() + 1);
            }
        }
        changer.publish();
        for (int i = 0; i < 8; i++) CHECK(wrong_lookups(table, random, pool, changer.rules(), changer.version()) == 0);
        if (round % 20 == 0) changer.check_control();
    }
}

struct Snapshot {
    Version version;
    std::vector<Known> rules;
};

void run_beside_readers(uint64_t seed, size_t target, int versions, size_t changes = 30, unsigned prefixes = 0) {
    constexpr size_t kReaders = 2;
    Random random(seed);
    Pool pool(random, 1 + below(random, 30), 1 + below(random, 8), 0x0101'0101'0101'0101);
    pool.prefixes = prefixes;
    Epochs epochs(kReaders);
    Classifier table(epochs);
    Changer changer(table, pool, seed + 1);
    std::vector<std::unique_ptr<Snapshot>> all;
    all.push_back(std::make_unique<Snapshot>(Snapshot{changer.version(), {}}));
    std::atomic<const Snapshot*> current{all.back().get()};
    std::atomic<bool> stop{false};
    std::atomic<size_t> wrong{0}, lookups{0};

    std::vector<std::thread> readers;
    for (size_t r = 0; r < kReaders; r++)
        readers.emplace_back([&, r] {
            Random mine(seed + 100 + r);
            while (!stop.load(std::memory_order_relaxed)) {
                const Snapshot& snapshot = *current.load(std::memory_order_acquire);
                for (int i = 0; i < 3; i++)  // a version is held for some lookups
                    wrong += wrong_lookups(table, mine, pool, snapshot.rules, snapshot.version);
                lookups++;
                epochs.quiescent(r);
            }
        });
    for (int v = 0; v < versions; v++) {
        changer.prepare(1 + below(random, changes), v % 100 < 70 ? target : 2);
        all.push_back(std::make_unique<Snapshot>(Snapshot{changer.version() + 1, changer.rules()}));
        current.store(all.back().get(), std::memory_order_release);
        changer.publish();
        epochs.poll();
        if (v % 16 == 0) std::this_thread::yield();
    }
    while (lookups < 20) std::this_thread::yield();
    stop = true;
    for (auto& reader : readers) reader.join();
    CHECK(wrong == 0);
    changer.check_control();
}

}  // namespace

TEST_CASE("classifier: readers see whole versions while rules come and go") {
    for (uint64_t seed = 0; seed < 6; seed++) {
        CAPTURE(seed);
        run_beside_readers(seed, seed % 2 ? 300 : 20, 400);
    }
}

TEST_CASE("classifier: many prefixes") {
    for (uint64_t seed = 0; seed < 8; seed++) {
        CAPTURE(seed);
        FreeAtOnce at_once;
        Late late;
        run_prefixes(seed % 2 ? static_cast<Reclaimer&>(at_once) : late, seed);
    }
}

TEST_CASE("classifier: many prefixes change beside readers") { run_beside_readers(1, 2000, 100, 400, 60); }

TEST_CASE("classifier: a table of one shape grows and shrinks") {
    FreeAtOnce reclaimer;
    Classifier table(reclaimer);
    Match match;
    match.mask.tp.src = match.mask.tp.dst = Be16::of(0xffff);
    std::vector<Rule*> rules;
    for (uint32_t i = 0; i < 20000; i++) {
        match.value.tp.src = Be16::of(static_cast<uint16_t>(i));
        match.value.tp.dst = Be16::of(static_cast<uint16_t>(i >> 16));
        rules.push_back(table.insert(match, {nullptr, nullptr, 2, i, 5, 0}));
    }
    const auto found = [&](uint32_t i, Version at) {
        FlowKey key = match.value;
        key.tp.src = Be16::of(static_cast<uint16_t>(i));
        const FlowKey* const pointer = &key;
        const Rule* rule;
        table.lookup({&pointer, 1}, at, {&rule, 1});
        return rule;
    };
    for (uint32_t i = 0; i < 20000; i++) REQUIRE(found(i, 2) == rules[i]);
    for (uint32_t i = 0; i < 20000; i++) {
        table.remove(rules[i], 3 + i);
        table.published(3 + i);
    }
    CHECK(table.size() == 0);
    CHECK(found(7, 30000) == nullptr);
}

TEST_CASE("classifier: removed rules may outlive their table at the reclaimer") {
    Late reclaimer;
    {
        Classifier table(reclaimer);
        for (uint16_t i = 0; i < 200; i++) {
            Rule* const rule = table.insert({}, {nullptr, nullptr, Version{2} + i, 0, i, 0});
            if (i % 2) table.remove(rule, Version{3} + i);
        }
    }
    reclaimer.drain();
}
