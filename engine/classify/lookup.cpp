// SPDX-License-Identifier: Apache-2.0
// Lookups. Keys in, rules out; on any number of workers.
//
// A burst goes through the tuples together, in stages: hash and prefetch the buckets, compare tags and prefetch the
// rules, compare the rules. Memory is waited for once a stage, not once a packet. A packet drops out when what it has
// found outranks all that is left.
#include <array>

#include "engine/classify/compiled.hpp"
#include "engine/classify/conjunction.hpp"

namespace turnout::classify {
namespace {

bool wants(const View& view, const View::One& one, const FlowKey& key) {
    uint64_t differs = 0;
    for (size_t t = one.first; t < one.first + one.n; t++)
        differs |= (word(key, view.tests[t].word) & view.tests[t].mask) ^ view.tests[t].value;
    return !differs;
}

void compare_each(const View& view, std::span<const FlowKey* const> keys, Version at, std::span<const Rule*> out) {
    for (size_t i = 0; i < keys.size(); i++) {
        out[i] = nullptr;
        for (const View::One& one : view.few) {
            if (!wants(view, one, *keys[i]) || !one.rule->visible(at)) continue;
            out[i] = one.rule;
            break;
        }
    }
}

// A burst on its way through the tuples.
class Search {
public:
    Search(std::span<const FlowKey* const> keys, Version at, const std::atomic<Shape**>& shapes,
           std::span<const Rule*> best)
        : keys_(keys), at_(at), shapes_(shapes), best_(best) {
        for (size_t i = 0; i < keys_.size(); i++) {
            best_[i] = nullptr;
            priority_[i] = -1;
        }
    }

    void run(const View& view) {
        for (size_t t = 0; t < view.n_items; t++) {
            const View::Item& item = view.items[t];
            const int32_t highest = item.highest.load(std::memory_order_relaxed);
            n_active_ = 0;
            for (unsigned i = 0; i < keys_.size(); i++) {
                active_[n_active_] = static_cast<uint8_t>(i);
                n_active_ += priority_[i] < highest;
            }
            if (n_active_ == 0) return;
            if (item.tuple)
                probe(*item.tuple);
            else
                longest_prefix(view);
        }
    }

private:
    void pack(const Layout& layout) {
        if (layout_ == &layout) return;
        layout.pack(keys_, packed_);
        layout_ = &layout;
    }

    void probe(const Tuple& tuple) {
        pack(tuple.layout());
        const Tuple::Buckets& buckets = tuple.buckets();
        const auto active = std::span<const uint8_t>(active_).first(n_active_);
        tuple.places(packed_, active, places_);
        for (unsigned a = 0; a < n_active_; a++) __builtin_prefetch(buckets.at(places_[a].home()));
        for (unsigned a = 0; a < n_active_; a++) collect(tuple, buckets, active_[a], places_[a]);
        decide(tuple);
    }

    // The trie knows the rule that all versions but the latest ones agree on; where that is not visible, the tuples do.
    void longest_prefix(const View& view) {
        uint64_t slots[kBurst];
        const std::atomic<uint64_t>* runs[kBurst];
        const auto address = [this](unsigned a) { return keys_[active_[a]]->net.ipv4_dst.host(); };
        const Prefixes& prefixes = *view.prefixes;
        for (unsigned a = 0; a < n_active_; a++) prefixes.prefetch_root(address(a));
        for (unsigned a = 0; a < n_active_; a++) slots[a] = prefixes.enter(address(a));
        for (unsigned a = 0; a < n_active_; a++) runs[a] = Prefixes::run(slots[a], address(a));
        for (unsigned a = 0; a < n_active_; a++) {
            found_[a] = {Prefixes::finish(slots[a], runs[a], address(a)), active_[a]};
            __builtin_prefetch(found_[a].rule);
        }
        unsigned n_invisible = 0;
        for (unsigned a = 0; a < n_active_; a++) {
            const auto [rule, packet] = found_[a];
            if (!rule || keys_[packet]->eth.type != view.prefix_type) continue;
            if (!rule->visible(at_)) {
                active_[n_invisible++] = static_cast<uint8_t>(packet);
            } else if (static_cast<int32_t>(rule->priority) > priority_[packet]) {
                best_[packet] = rule;
                priority_[packet] = rule->priority;
            }
        }
        n_active_ = n_invisible;
        if (n_active_)
            for (const Tuple* tuple : view.by_length) probe(*tuple);
    }

    // Notes what has the right tag. Most often that is one rule or none: no branch depends on which.
    void collect(const Tuple& tuple, const Tuple::Buckets& buckets, unsigned packet, Place place) {
        const uint16_t tag = place.tag();
        for (uint64_t n = 0; n <= buckets.mask; n++) {
            const Bucket& bucket = *buckets.at(place.home() + n);
            unsigned slots = bucket.slots_of(tag);
            note(bucket.first(slots), packet, slots != 0);
            for (slots &= slots - 1; slots; slots &= slots - 1) {
                if (n_found_ >= kFound) decide(tuple);
                note(bucket.first(slots), packet, true);
            }
            if (!bucket.goes_on()) [[likely]]
                break;
            if (n_found_ >= kFound) decide(tuple);
        }
        if (n_found_ >= kFound) decide(tuple);
    }

    void note(const Entry* rule, unsigned packet, bool found) {
        __builtin_prefetch(rule);
        found_[n_found_] = {rule, packet};
        n_found_ += found;
    }

    // Keeps what is wanted, visible and better than before. Without branches, as nothing predicts them.
    void decide(const Tuple& tuple) {
        if (!tuple.uniform())
            decide(tuple.layout().words(),
                   [this](const Entry& rule) { return shapes_.load(std::memory_order_acquire)[rule.shape]->packed; });
        else if (tuple.layout().words() == kUsualWords)
            decide(kUsualWords, [mask = tuple.packed_mask()](const Entry&) { return mask; });
        else
            decide(tuple.layout().words(), [mask = tuple.packed_mask()](const Entry&) { return mask; });
    }

    template <typename MaskOf>
    [[gnu::always_inline]] void decide(unsigned words, MaskOf mask_of) {
        for (unsigned f = 0; f < n_found_; f++) {
            const auto [rule, packet] = found_[f];
            const uint64_t* const mask = mask_of(*rule);
            const uint64_t* const values = rule->values();
            uint64_t differs = 0;
            for (unsigned w = 0; w < words; w++) differs |= (packed_[w][packet] & mask[w]) ^ values[w];
            const auto priority = static_cast<int32_t>(rule->priority);
            const bool better = (differs == 0) & rule->visible(at_) & (priority > priority_[packet]);
            best_[packet] = better ? rule : best_[packet];
            priority_[packet] = better ? priority : priority_[packet];
        }
        n_found_ = 0;
    }

    struct Found {
        const Entry* rule;
        unsigned packet;
    };
    static constexpr unsigned kFound = 2 * kBurst;
    static constexpr unsigned kUsualWords = 3;  // of the layout for IPv4: what it is worth to unroll

    const std::span<const FlowKey* const> keys_;
    const Version at_;
    const std::atomic<Shape**>& shapes_;
    const std::span<const Rule*> best_;
    int32_t priority_[kBurst];  // of best_; -1: nothing yet
    const Layout* layout_ = nullptr;
    unsigned n_active_ = 0, n_found_ = 0;
    uint8_t active_[kBurst];
    Place places_[kBurst];
    Found found_[kFound + 1];  // note() writes before it knows
    PackedBurst packed_;       // in layout_
};

void lookup_hard(const View& view, std::span<const FlowKey* const> keys, Version at, const std::atomic<Shape**>& shapes,
                 std::span<const Rule*> out) {
    if (view.linear)
        compare_each(view, keys, at, out);
    else
        Search(keys, at, shapes, out).run(view);
}

// Calls visit(const Entry&) for each visible soft match of a packet above a priority.
template <typename Visit>
void each_soft(const View& view, const FlowKey& key, Version at, int32_t above, Visit visit) {
    uint64_t packed[kMaxWords];
    const Layout* layout = nullptr;
    for (const Tuple* tuple : view.soft) {
        if (layout != &tuple->layout()) (layout = &tuple->layout())->pack(key, packed);
        tuple->find(packed, [&](const Entry* rule) {
            if (rule->priority > above && rule->visible(at)) visit(*rule, packed, layout->words());
            return false;
        });
    }
}

// What a packet's soft matches make of its answer so far.
const Rule* conjunction(const View& view, const FlowKey& key, Version at, const std::atomic<Shape**>& shapes,
                        const Rule* hard) {
    const int32_t above = hard ? static_cast<int32_t>(hard->priority) : -1;
    Clauses clauses;
    int32_t below = INT32_MAX;  // priorities from here on have had their turn
    for (int64_t floor = -1;;) {
        int32_t highest = -1;
        each_soft(view, key, at, above, [&](const Entry& rule, const uint64_t* packed, unsigned words) {
            const auto priority = static_cast<int32_t>(rule.priority);
            if (priority >= below || priority < highest) return;
            const uint64_t* const mask = shapes.load(std::memory_order_acquire)[rule.shape]->packed;
            uint64_t differs = 0;
            for (unsigned w = 0; w < words; w++) differs |= (packed[w] & mask[w]) ^ rule.values()[w];
            if (differs) return;
            if (priority > highest) clauses.reset(floor);
            highest = priority;
            clauses.add(*rule.program);
        });
        if (highest < 0) return hard;
        const Rule* found = nullptr;
        const bool whole = clauses.any_whole([&](uint32_t id) {
            FlowKey with_id = key;
            with_id.tp.conj_id = Be32::of(id);
            const FlowKey* const pointer = &with_id;
            lookup_hard(view, {&pointer, 1}, at, shapes, {&found, 1});
            return found != nullptr;
        });
        if (whole) return found;
        if (clauses.more()) {
            floor = clauses.last();
        } else {
            below = highest;
            floor = -1;
        }
    }
}

}  // namespace

void Compiled::lookup(std::span<const FlowKey* const> keys, Version at, std::span<const Rule*> out) const {
    const View& view = *view_.load(std::memory_order_acquire);
    lookup_hard(view, keys, at, shapes_, out);
    if (view.soft.empty()) [[likely]]
        return;
    for (size_t i = 0; i < keys.size(); i++) out[i] = conjunction(view, *keys[i], at, shapes_, out[i]);
}

}  // namespace turnout::classify
