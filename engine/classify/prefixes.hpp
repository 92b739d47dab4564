// SPDX-License-Identifier: Apache-2.0
// Longest prefix match of IPv4 addresses: for an address, the rule of the longest prefix that covers it.
//
// A trie of strides 16, 8 and 8. A node below the root keeps, instead of 256 slots, the runs of equal ones: a bit for
// each slot that differs from the one before, and one pointer for each run, found by counting bits. Half a million
// routes are some 15 MB, and a lookup waits for a node, a run and the rule.
//
// Workers read while control writes: a node is never changed but replaced by a new one, apart from pointers, each of
// which is written whole.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "engine/base/reclaim.hpp"
#include "engine/classify/tuple.hpp"

namespace turnout::classify {

class Prefixes {
public:
    Prefixes();
    ~Prefixes();
    Prefixes(const Prefixes&) = delete;
    Prefixes& operator=(const Prefixes&) = delete;

    // --- control. `address` in host order. A prefix has one rule here: insert() replaces.
    void insert(const Entry* rule, uint32_t address, unsigned length, Reclaimer& reclaimer);
    // Where `rule` is, puts the rule of a shorter prefix (of `length`; null: nothing), or another of the same one.
    struct Other {
        const Entry* rule;
        unsigned length;
    };
    void replace(const Entry* rule, uint32_t address, unsigned length, Other by, Reclaimer& reclaimer);
    // Lengths that share a level with `length`, from the shortest: where replace() needs another rule from.
    static unsigned shortest_beside(unsigned length) { return length <= 16 ? 0 : length <= 24 ? 17 : 25; }

    // --- workers: a lookup in four steps, for a burst to take together.
    void prefetch_root(uint32_t address) const { __builtin_prefetch(&root_[address >> 16]); }
    inline uint64_t enter(uint32_t address) const;  // the root's slot; prefetches its node
    static inline const std::atomic<uint64_t>* run(uint64_t slot, uint32_t address);  // prefetches; null: no node
    static inline const Entry* finish(uint64_t slot, const std::atomic<uint64_t>* run, uint32_t address);

private:
    // A slot: 0, or a pointer to a rule with its length above bit 48, or a pointer to a node with bit 0 set.
    using Slot = std::atomic<uint64_t>;
    struct Node;
    enum : unsigned { kFan = 256, kRoot = 1 << 16 };
    using Slots = std::array<uint64_t, kFan>;

    static bool is_node(uint64_t slot) { return slot & 1; }
    static Node* node(uint64_t slot) { return reinterpret_cast<Node*>(slot & ~uint64_t{1}); }
    static const Entry* rule(uint64_t slot) { return reinterpret_cast<const Entry*>(slot & 0xffff'ffff'ffff); }
    static unsigned length(uint64_t slot) { return static_cast<unsigned>(slot >> 48); }
    static uint64_t slot_of(Other of) {
        return of.rule ? reinterpret_cast<uint64_t>(of.rule) | uint64_t{of.length} << 48 : 0;
    }
    template <typename Change>
    void change(uint32_t address, unsigned length, Reclaimer& reclaimer, Change change);
    template <typename Change>
    static uint64_t changed(uint64_t slot, uint32_t address, unsigned level, unsigned length, Reclaimer& reclaimer,
                            Change change);
    static void destroy(uint64_t slot);

    Pages memory_;
    Slot* root_;
};

// One cache line, then the runs.
struct alignas(kLine) Prefixes::Node {
    Slot above;          // the rule that holds where the node has none
    uint64_t starts[4];  // bit i: slot i begins a run; bit 0 of the first is set
    uint16_t before[4];  // runs that begin in the words before
    uint16_t n_runs;

    Slot* runs() { return reinterpret_cast<Slot*>(this + 1); }
    Slot& run(unsigned i) {
        const uint64_t upto = starts[i / 64] & (~uint64_t{0} >> (63 - i % 64));
        return runs()[before[i / 64] + static_cast<unsigned>(__builtin_popcountll(upto)) - 1];
    }
    Slots expanded();
    static uint64_t make(uint64_t above, const Slots& slots);  // the slot that points to it
};
static_assert(sizeof(uint64_t) == 8);

inline uint64_t Prefixes::enter(uint32_t address) const {
    const uint64_t slot = root_[address >> 16].load(std::memory_order_acquire);
    if (is_node(slot)) __builtin_prefetch(node(slot));
    return slot;
}

inline const std::atomic<uint64_t>* Prefixes::run(uint64_t slot, uint32_t address) {
    if (!is_node(slot)) return nullptr;
    const Slot* const run = &node(slot)->run(address >> 8 & 0xff);
    __builtin_prefetch(run);
    return run;
}

inline const Entry* Prefixes::finish(uint64_t slot, const std::atomic<uint64_t>* run, uint32_t address) {
    if (!run) return rule(slot);
    uint64_t best = node(slot)->above.load(std::memory_order_acquire);
    uint64_t next = run->load(std::memory_order_acquire);
    if (is_node(next)) {
        Node& last = *node(next);
        if (const uint64_t above = last.above.load(std::memory_order_acquire)) best = above;
        next = last.run(address & 0xff).load(std::memory_order_acquire);
    }
    return rule(next ? next : best);
}

}  // namespace turnout::classify
