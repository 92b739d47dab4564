// SPDX-License-Identifier: Apache-2.0
// What is behind a Classifier: its rules, the tuples that they live in, and the view that workers have of these.
//
// Words used here and nowhere else. A *shape* is a mask that some rule has, in one layout. A *tuple* is a hash table of
// rules (tuple.hpp); a shape's rules live in one or more of them, its *homes*. The *view* lists the tuples by falling
// highest priority; it is replaced, never changed, but for a highest priority that may move where the order allows.
//
// A rule's life. insert() fills a cache line of its own, then stores a reference in a bucket: workers may come across
// it from then on, and pass it by because its version is not theirs. remove() writes a version into it, no more. When
// that version is known to be published the reclaimer is asked twice, in batches: after the first grace period no
// worker is at an earlier version, and the rule leaves its bucket; after the second none can still be looking at its
// memory.
//
// The reclaimer may call back in the middle of later(). It is therefore only called when everything else is done:
// whatever an operation takes out of use waits in `retired_` until its end.
#pragma once

#include <array>
#include <memory>
#include <unordered_map>
#include <vector>

#include "engine/classify/classifier.hpp"
#include "engine/classify/layout.hpp"
#include "engine/classify/prefixes.hpp"
#include "engine/classify/tuple.hpp"

namespace turnout::classify {

struct Shape {
    uint64_t packed[kMaxWords];
    const Layout* layout;
    uint32_t id;
    FlowKey mask;
    bool soft = false;  // of rules that are clauses of conjunctions: conjunction.hpp
    int prefix = -1;    // length, if this is an IPv4 destination prefix and eth_type, no more; else -1
    size_t users = 0;   // rules that are not freed; tuples of this mask
    struct Home {
        Tuple* tuple;
        size_t rules;
    };
    std::vector<Home> homes;
};

struct View {
    struct Item {
        const Tuple* tuple;  // null: `prefixes`
        std::atomic<int32_t> highest;
    };
    // Where the rules of many prefixes are such that the longest wins; and the tuples that have these rules as well,
    // for those lookups to whose version the winner is not visible.
    const Prefixes* prefixes = nullptr;
    Be16 prefix_type{};
    std::vector<const Tuple*> by_length;
    // A few rules are faster compared one by one than hashed. By falling priority; the tuples have them as well.
    struct Test {
        uint64_t mask, value;
        size_t word;
    };
    struct One {
        const Entry* rule;
        size_t first, n;  // in `tests`
    };
    std::vector<const Tuple*> soft;
    size_t n_items = 0;
    std::unique_ptr<Item[]> items;
    bool linear = false;
    std::vector<One> few;
    std::vector<Test> tests;
};

class Compiled : public std::enable_shared_from_this<Compiled> {
public:
    explicit Compiled(Reclaimer& reclaimer);
    ~Compiled();

    Rule* insert(const Match& match, const Classifier::NewRule& rule);
    void remove(Rule* rule, Version at);
    void undo(Rule* rule);
    void published(Version at);
    void tidy();
    void close() { closed_ = true; }
    Rule* find(const Match& match, uint16_t priority, Version at) const;
    Match match_of(const Rule& rule) const;
    void for_each(const Match& wide, Version at, const std::function<void(Rule&)>& visit) const;
    size_t size() const { return size_; }
    const FlowKey& reads() const { return reads_; }

    void lookup(std::span<const FlowKey* const> keys, Version at, std::span<const Rule*> out) const;

private:
    // Keeps what an operation takes out of use until its end.
    class Retired : public Reclaimer {
    public:
        using Reclaimer::later;
        void later(void* what, void (*free)(void*)) override { items_.push_back({what, free}); }
        void hand_over(Reclaimer& to);

    private:
        struct Item {
            void* what;
            void (*free)(void*);
        };
        std::vector<Item> items_;
    };
    struct Leaving {
        std::shared_ptr<Compiled> from;
        std::vector<Entry*> rules;
    };
    struct MaskHash {
        size_t operator()(const FlowKey& mask) const;
    };
    struct MaskEqual {
        bool operator()(const FlowKey& a, const FlowKey& b) const { return std::memcmp(&a, &b, sizeof a) == 0; }
    };

    static constexpr size_t kFirstMerge = 16;
    static constexpr size_t kManyPrefixes = 1024;
    static constexpr size_t kTooLargeToMove = 32768;  // rules of a tuple

    Shape* shape_of(const FlowKey& mask, bool soft);
    Shape* find_shape(const FlowKey& mask, bool soft) const;
    Rule* find(const Shape* of, const Match& match, uint16_t priority, Version at) const;
    const Layout* layout_for(const FlowKey& mask);
    void release(Shape* shape);
    Shape* shape(const Rule& rule) const { return shapes_.load(std::memory_order_relaxed)[rule.shape]; }

    Tuple* home_for(Shape* shape, const uint64_t* values);
    Tuple* add_tuple(const Layout& layout, const FlowKey& mask, bool soft = false);
    void retire(std::unique_ptr<Tuple> tuple);
    static void settle(Shape* shape, Tuple* tuple);
    void link(Entry* entry, Tuple* tuple);
    void unlink(Entry* entry);
    void free(Entry* entry);
    void leave();  // what is in leaving_ begins to go
    void consider_merging();
    void merge_tuples();
    void resettle(const Layout& layout, std::vector<const Entry*> rules);
    // prefix_rules.cpp
    Entry* best_of_prefix(Tuple& tuple, uint32_t address, unsigned length, const Entry* but) const;
    uint32_t address_of(const Entry& rule) const;
    void prefix_linked(const Entry& rule);
    void prefix_unlinked(const Entry& rule);
    bool longest_wins(const Entry& rule) const;
    void try_prefixes();
    void leave_prefixes();
    bool by_prefix(const Tuple& tuple) const;
    Tuple* prefix_home(const Shape* shape);
    int32_t highest_prefix() const;

    void refresh(const Tuple& changed);
    void rebuild_view();
    void add_few(View& view) const;

    Reclaimer& reclaimer_;
    Retired retired_;
    bool closed_ = false;

    std::atomic<const View*> view_;
    std::atomic<Shape**> shapes_{nullptr};  // by Rule::shape; grows by replacement
    size_t n_shapes_ = 0, room_for_shapes_ = 0;
    std::vector<uint32_t> free_shapes_;
    std::unordered_map<FlowKey, std::unique_ptr<Shape>, MaskHash, MaskEqual> by_mask_[2];  // hard, soft
    Shape* last_shape_ = nullptr;
    std::vector<std::unique_ptr<Layout>> layouts_;
    std::vector<std::unique_ptr<Tuple>> tuples_;
    Arena arena_;

    std::unique_ptr<Prefixes> prefixes_;  // null: not worth it, or the longest does not always win
    Be16 prefix_type_{};
    std::array<Tuple*, 33> by_length_{};  // while there are prefixes_
    size_t n_prefixes_ = 0;               // rules whose shape is a prefix
    size_t try_prefixes_at_ = kManyPrefixes;

    std::vector<Entry*> leaving_;
    Version leaving_at_ = 0;
    size_t size_ = 0, linked_ = 0;
    size_t until_merge_ = kFirstMerge;  // insertions until merging is considered
    size_t inserted_ = 0;               // since merging
    bool changed_ = false;              // since tidy()
    size_t tuples_then_ = 0;            // how many there were after the last time
    FlowKey reads_{};
};

}  // namespace turnout::classify
