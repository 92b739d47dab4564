// SPDX-License-Identifier: Apache-2.0
// Conjunctive matches: a policy as people write it, and random ones against a naive reading of ovs-fields(7).
#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "engine/classify/classifier.hpp"
#include "engine/openflow/action.hpp"

using namespace turnout;

namespace {

struct Known {
    Match match;
    uint16_t priority;
    of::Program program;
    const Rule* rule = nullptr;

    bool soft() const { return !program.apply.empty(); }
};

Match match_of(uint16_t src, uint16_t dst, uint16_t mask) {
    Match match;
    match.mask.tp.src = match.mask.tp.dst = Be16::of(mask);
    match.value.tp.src = Be16::of(src & mask);
    match.value.tp.dst = Be16::of(dst & mask);
    return match;
}

of::Action clause(uint32_t id, uint8_t k, uint8_t n) { return {of::Conjunction{id, k, n}}; }

const Rule* look_up(const Classifier& table, const FlowKey& key) {
    const FlowKey* const pointer = &key;
    const Rule* found;
    table.lookup({&pointer, 1}, 2, {&found, 1});
    return found;
}

// All rules that may be the answer; empty: there is none.
std::set<const Rule*> hard_answers(const std::deque<Known>& rules, const FlowKey& key) {
    int best = -1;
    std::set<const Rule*> answers;
    for (const Known& known : rules) {
        if (known.soft() || known.priority < best || !matches(known.match, key)) continue;
        if (known.priority > best) answers.clear();
        best = known.priority;
        answers.insert(known.rule);
    }
    return answers;
}

std::set<const Rule*> answers(const std::deque<Known>& rules, const FlowKey& key) {
    const auto hard = hard_answers(rules, key);
    const int above = hard.empty() ? -1 : static_cast<int>((*hard.begin())->priority);
    std::map<int, std::map<uint32_t, std::pair<std::set<uint8_t>, uint8_t>>, std::greater<>> matched;
    for (const Known& known : rules) {
        if (!known.soft() || known.priority <= above || !matches(known.match, key)) continue;
        for (const of::Action& action : known.program.apply) {
            const auto& c = std::get<of::Conjunction>(action.is);
            auto& [clauses, n] = matched[known.priority][c.id];
            clauses.insert(c.clause);
            n = c.clauses;
        }
    }
    for (const auto& [priority, ids] : matched) {
        std::set<const Rule*> found;
        for (const auto& [id, clauses] : ids) {
            if (clauses.first.size() != clauses.second) continue;
            FlowKey with_id = key;
            with_id.tp.conj_id = Be32::of(id);
            found.merge(hard_answers(rules, with_id));
        }
        if (!found.empty()) return found;
    }
    return hard;
}

}  // namespace

TEST_CASE("classifier: a conjunction of two fields") {
    FreeAtOnce reclaimer;
    Classifier table(reclaimer);
    of::Program from, to, both;
    from.apply = {clause(7, 0, 2)};
    to.apply = {clause(7, 1, 2)};
    Match source, target, id;
    source.mask.tp.src = target.mask.tp.dst = Be16::of(0xffff);
    id.mask.tp.conj_id = Be32::of(~0u);
    id.value.tp.conj_id = Be32::of(7);
    for (uint16_t port = 1; port <= 3; port++) {
        source.value.tp.src = target.value.tp.dst = Be16::of(port);
        table.insert(source, {&from, nullptr, 1, 0, 10, 0});
        table.insert(target, {&to, nullptr, 1, 0, 10, 0});
    }
    const Rule* const answer = table.insert(id, {&both, nullptr, 1, 0, 5, 0});
    FlowKey key{};
    key.tp.src = Be16::of(1);
    CHECK(look_up(table, key) == nullptr);  // one clause of two
    key.tp.dst = Be16::of(3);
    CHECK(look_up(table, key) == answer);
    const Rule* const above = table.insert({}, {&both, nullptr, 1, 0, 10, 0});
    CHECK(look_up(table, key) == above);  // of equal priority
    CHECK(table.find(source, 10, 2) != nullptr);
}

TEST_CASE("classifier: random conjunctions, equal to a naive classifier") {
    for (uint64_t seed = 0; seed < 40; seed++) {
        CAPTURE(seed);
        std::mt19937_64 random(seed);
        const auto below = [&](uint64_t n) { return static_cast<uint32_t>(random() % n); };
        FreeAtOnce reclaimer;
        Classifier table(reclaimer);
        std::deque<Known> rules;
        const uint32_t ids = seed % 4 ? 3 : 200;  // 200: more than a lookup holds at once
        for (uint32_t n = below(120); n; n--) {
            constexpr uint16_t kMasks[] = {0, 1, 3, 5, 7};
            Known& known = rules.emplace_back();
            known.match = match_of(static_cast<uint16_t>(random()), static_cast<uint16_t>(random()), kMasks[below(5)]);
            known.priority = static_cast<uint16_t>(below(4));
            if (below(3)) {
                std::set<uint32_t> used;
                for (uint32_t c = 1 + below(ids > 3 ? 150 : 3); c; c--) {
                    const uint32_t id = below(ids);
                    if (used.insert(id).second)
                        known.program.apply.push_back(clause(id, static_cast<uint8_t>(below(2)), 2));
                }
            } else if (below(2)) {
                known.match.mask.tp.conj_id = Be32::of(~0u);
                known.match.value.tp.conj_id = Be32::of(below(ids));
            }
            known.rule = table.insert(known.match, {&known.program, nullptr, 1, 0, known.priority, 0});
            if (below(10) == 0) {
                table.remove(const_cast<Rule*>(known.rule), 2);
                table.published(2);
                rules.pop_back();
            }
        }
        for (int i = 0; i < 200; i++) {
            FlowKey key{};
            key.tp.src = Be16::of(static_cast<uint16_t>(below(8)));
            key.tp.dst = Be16::of(static_cast<uint16_t>(below(8)));
            const auto expected = answers(rules, key);
            const Rule* const found = look_up(table, key);
            CHECK((found ? expected.contains(found) : expected.empty()));
        }
    }
}
