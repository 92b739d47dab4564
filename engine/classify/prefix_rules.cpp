// SPDX-License-Identifier: Apache-2.0
// Rules that are IPv4 destination prefixes, when there are many: a trie finds the longest instead of a tuple a length.
//
// That is right while no prefix has a lower priority than a shorter one, and all are of one eth_type. It is checked as
// rules come; when it ceases to hold the trie goes, and the tuples, in which the rules are at all times, do alone.
#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "engine/classify/compiled.hpp"

namespace turnout::classify {
namespace {

uint32_t mask_of_length(unsigned length) { return length ? ~uint32_t{0} << (32 - length) : 0; }

}  // namespace

uint32_t Compiled::address_of(const Entry& rule) const { return match_of(rule).value.net.ipv4_dst.host(); }

bool Compiled::by_prefix(const Tuple& tuple) const {
    if (!prefixes_ || tuple.own_shape() == Tuple::kNoShape) return false;
    const int length = shapes_.load(std::memory_order_relaxed)[tuple.own_shape()]->prefix;
    return length >= 0 && by_length_[static_cast<size_t>(length)] == &tuple;
}

// Of the rules of one prefix the one that outranks the others, the newest of equals; `but` does not count.
Entry* Compiled::best_of_prefix(Tuple& tuple, uint32_t address, unsigned length, const Entry* but) const {
    FlowKey key{};
    key.eth.type = prefix_type_;
    key.net.ipv4_dst = Be32::of(address & mask_of_length(length));
    uint64_t packed[kMaxWords];
    tuple.layout().pack(key, packed);
    const Entry* best = nullptr;
    tuple.find(packed, [&](const Entry* rule) {
        const bool same = std::memcmp(rule->values(), packed, tuple.layout().words() * sizeof(uint64_t)) == 0;
        if (same && rule != but &&
            (!best || rule->priority > best->priority ||
             (rule->priority == best->priority && rule->added > best->added)))
            best = rule;
        return false;
    });
    return const_cast<Entry*>(best);
}

bool Compiled::longest_wins(const Entry& rule) const {
    const int length = shape(rule)->prefix;
    for (int l = 0; l <= 32; l++) {
        const Tuple* const other = by_length_[static_cast<size_t>(l)];
        if (!other || other->size() == 0 || l == length) continue;
        if (l < length ? other->highest() > rule.priority : other->lowest() < rule.priority) return false;
    }
    return match_of(rule).value.eth.type == prefix_type_;
}

void Compiled::prefix_linked(const Entry& rule) {
    n_prefixes_++;
    if (!prefixes_) return;
    if (!longest_wins(rule)) return leave_prefixes();
    const auto length = static_cast<unsigned>(shape(rule)->prefix);
    const uint32_t address = address_of(rule);
    const Entry* const best = best_of_prefix(*by_length_[length], address, length, nullptr);
    prefixes_->insert(best, address, length, retired_);
}

void Compiled::prefix_unlinked(const Entry& rule) {
    n_prefixes_--;
    if (!prefixes_) return;
    if (n_prefixes_ < kManyPrefixes / 4) return leave_prefixes();
    const auto length = static_cast<unsigned>(shape(rule)->prefix);
    const uint32_t address = address_of(rule);
    Prefixes::Other other{nullptr, 0};
    for (unsigned l = length + 1; l-- > Prefixes::shortest_beside(length) && !other.rule;)
        if (by_length_[l]) other = {best_of_prefix(*by_length_[l], address, l, &rule), l};
    prefixes_->replace(&rule, address, length, other, retired_);
}

// Moves prefixes to tuples of their own, one a length, and into a trie. Tried again when there are twice as many.
void Compiled::try_prefixes() {
    try_prefixes_at_ = 2 * n_prefixes_;
    std::vector<const Entry*> rules;
    std::array<Tuple*, 33> large{};
    for (const auto& [_, shape] : by_mask_[0]) {
        if (shape->prefix < 0) continue;
        for (const Shape::Home& home : shape->homes) {
            if (home.tuple->size() <= kTooLargeToMove) continue;
            if (home.tuple->own_shape() != shape->id || home.rules != home.tuple->size()) return;
            large[static_cast<size_t>(shape->prefix)] = home.tuple;
        }
    }
    for (const auto& tuple : tuples_)
        tuple->for_each([&](const Entry* rule) {
            if (shape(*rule)->prefix >= 0) rules.push_back(rule);
        });
    std::sort(rules.begin(), rules.end(), [](const Entry* a, const Entry* b) {
        return std::pair(a->priority, a->added) < std::pair(b->priority, b->added);
    });
    const Be16 type = match_of(*rules.front()).value.eth.type;
    std::array<int, 33> lowest, highest;
    lowest.fill(UINT16_MAX);
    highest.fill(0);
    for (const Entry* rule : rules) {
        const auto length = static_cast<size_t>(shape(*rule)->prefix);
        lowest[length] = std::min<int>(lowest[length], rule->priority);
        highest[length] = std::max<int>(highest[length], rule->priority);
        if (match_of(*rule).value.eth.type != type) return;
    }
    for (size_t l = 1, shorter = 0; l <= 32; l++) {
        shorter = std::max(shorter, static_cast<size_t>(highest[l - 1]));
        if (static_cast<size_t>(lowest[l]) < shorter) return;
    }
    prefixes_ = std::make_unique<Prefixes>();
    prefix_type_ = type;
    by_length_ = large;
    for (const Entry* rule : rules)  // of one prefix the highest, and of these the newest, comes last and stays
        prefixes_->insert(rule, address_of(*rule), static_cast<unsigned>(shape(*rule)->prefix), retired_);
    merge_tuples();  // publishes all of this in one view
}

// The view is made anew before anything else happens.
void Compiled::leave_prefixes() {
    retired_.later(prefixes_.release());
    by_length_.fill(nullptr);
    try_prefixes_at_ = std::max(kManyPrefixes, 2 * n_prefixes_);
}

}  // namespace turnout::classify
