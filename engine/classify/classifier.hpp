// SPDX-License-Identifier: Apache-2.0
// The rules of one flow table, compiled: for each packet of a burst the visible rule of the highest priority.
//
// Threads. Workers look up without locks, any number at once; control (one thread) inserts and removes beside them.
// Versions. A rule is visible to lookups of versions in [added, removed). Control prepares a change of any size under a
// version that no worker uses yet, then publishes that version with one store: a packet sees all of the change or none.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "engine/base/reclaim.hpp"
#include "engine/base/tally.hpp"
#include "engine/flow/match.hpp"

namespace turnout {

namespace of {
struct Program;
struct Flow;
}  // namespace of

using Version = uint64_t;

// What a lookup finds. Made by Classifier::insert(); all but `removed` is fixed from then on.
struct Rule {
    const of::Program* program;
    of::Flow* flow;  // control's
    Version added;
    std::atomic<Version> removed{UINT64_MAX};
    TallyId tally;
    uint16_t priority;
    uint8_t table;

    bool visible(Version at) const { return added <= at && at < removed.load(std::memory_order_relaxed); }
};

class Classifier {
public:
    explicit Classifier(Reclaimer& reclaimer);
    ~Classifier();  // no worker looks up any more, and the reclaimer has nothing of it left
    Classifier(const Classifier&) = delete;
    Classifier& operator=(const Classifier&) = delete;

    struct NewRule {
        const of::Program* program;
        of::Flow* flow;
        Version added;
        TallyId tally;
        uint16_t priority;
        uint8_t table;
    };

    // --- control
    Rule* insert(const Match& match, const NewRule& rule);
    // No lookup of `at` or later finds it; it goes once no worker can be at an earlier version.
    void remove(Rule* rule, Version at);
    // Takes back an insert() that was never published.
    void undo(Rule* rule);
    // The rule of exactly this match and priority that is visible at `at`, or null.
    Rule* find(const Match& match, uint16_t priority, Version at) const;
    Match match_of(const Rule& rule) const;
    // All rules visible at `at` that `wide` covers, in no order; visit may remove() the rule that it is given.
    void for_each(const Match& wide, Version at, const std::function<void(Rule&)>& visit) const;
    size_t size() const;  // not removed
    // The bits that any rule reads, or has read since the table was last empty.
    const FlowKey& reads() const;

    // --- workers; keys.size() <= kBurst; out[i] null: no rule
    void lookup(std::span<const FlowKey* const> keys, Version at, std::span<const Rule*> out) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace turnout
