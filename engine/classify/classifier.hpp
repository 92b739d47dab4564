// SPDX-License-Identifier: Apache-2.0
// The rules of one flow table, compiled: for each packet of a burst the visible rule of the highest priority.
//
// Threads. Workers look up without locks, any number at once; control (one thread) inserts and removes beside them.
// Versions. A rule is visible to lookups of versions in [added, removed). Control prepares a change of any size under a
// version that no worker uses yet, then publishes that version with one store (release): a packet sees all of the
// change or none. A worker loads the version (acquire) before the lookups that it does with it. Versions only grow, one
// is published before the next is begun, and each fits 48 bits: nine years at a million a second.
// Memory. What was removed stays until its version is published and every worker has passed a quiescent state since.
// Where priorities tie between rules that overlap, any of them may be found, as OpenFlow has it.
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

// What a lookup finds. Made by Classifier::insert(); all but `removed` is fixed from then on. The bits that it wants
// follow in memory: 40 bytes here leave room for those of a 5-tuple and its port in one cache line.
struct Rule {
    const of::Program* program;
    of::Flow* flow;  // control's
    std::atomic<Version> removed{UINT64_MAX};
    uint64_t added : 48;
    uint64_t priority : 16;
    TallyId tally;
    uint32_t table : 8;
    uint32_t shape : 24;  // the classifier's

    bool visible(Version at) const { return (added <= at) & (at < removed.load(std::memory_order_relaxed)); }
};
static_assert(sizeof(Rule) == 40);

namespace classify {
class Compiled;
}

class Classifier {
public:
    explicit Classifier(Reclaimer& reclaimer);
    // No worker looks up any more. The reclaimer may still hold what was removed; it must outlive that, not this.
    ~Classifier();
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
    // Beside others of the same match and priority, if there are any: see find().
    Rule* insert(const Match& match, const NewRule& rule);
    // No lookup of `at` or later finds it; it goes once no worker can be at an earlier version. Not to be touched
    // after.
    void remove(Rule* rule, Version at);
    // Takes back an insert() that was never published.
    void undo(Rule* rule);
    // Version `at` has been published: what was removed up to it may begin to go. Without this call it goes when a
    // later version changes the table.
    void published(Version at);
    // To be called now and then, say once a second: when a bulk of insertions is over it arranges the rules anew if
    // that is likely to pay. Takes some milliseconds then, else nothing. Changes no lookup's result.
    void tidy();
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
    std::shared_ptr<classify::Compiled> impl_;  // shared with the reclaimer while that holds removed rules
};

}  // namespace turnout
