// SPDX-License-Identifier: Apache-2.0
#include "engine/classify/merge.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <map>

namespace turnout::classify {
namespace {

// In cycles, about.
constexpr double kProbe = 40, kComparison = 30;
// Decides between equals: what keeps more bits is likelier to go well with others.
constexpr double kBit = 0.05;
// Groups that are compared with each other; more shapes are first rounded until they are so few.
constexpr size_t kMaxGroups = 128;

using Mask = std::vector<uint64_t>;

struct Group {
    Mask mask;
    std::vector<const uint64_t*> values;
    std::vector<size_t> members;
    double crowd = 0;  // pairs of its sampled rules that meet
};

Mask both(const Mask& a, const Mask& b) {
    Mask result(a.size());
    for (size_t w = 0; w < a.size(); w++) result[w] = a[w] & b[w];
    return result;
}

double bits(const Mask& mask) {
    int n = 0;
    for (uint64_t word : mask) n += std::popcount(word);
    return n;
}

// Counts pairs of values that are equal under a mask.
class Counter {
public:
    explicit Counter(size_t n) {
        while (slots_.size() < 2 * n) slots_.resize(2 * slots_.size());
    }

    double pairs(const Mask& mask, const std::vector<const uint64_t*>& a, const std::vector<const uint64_t*>& b) {
        round_++;
        uint64_t pairs = 0;
        for (const auto* values : {&a, &b})
            for (const uint64_t* value : *values) pairs += met(mask, value);
        return static_cast<double>(pairs);
    }

private:
    struct Slot {
        uint64_t hash;
        uint32_t round, n;
    };

    // How many came here before.
    uint32_t met(const Mask& mask, const uint64_t* value) {
        uint64_t hash = 1;
        for (size_t w = 0; w < mask.size(); w++) {
            hash = (hash ^ (value[w] & mask[w])) * 0x9e37'79b9'7f4a'7c15;
            hash ^= hash >> 32;
        }
        for (size_t i = hash;; i++) {
            Slot& slot = slots_[i & (slots_.size() - 1)];
            if (slot.round != round_) slot = {hash, round_, 0};
            if (slot.hash == hash) return slot.n++;
        }
    }

    std::vector<Slot> slots_ = std::vector<Slot>(64);
    uint32_t round_ = 0;
};

// The bits of a mask's byte that stay at a level of rounding.
uint8_t rounded(uint8_t byte, unsigned level) {
    if (level == 0 || byte == 0xff) return byte;
    if (level == 1 && (byte & 0xf0) == 0xf0) return 0xf0;
    return 0;
}

Mask rounded(const Mask& mask, unsigned level) {
    Mask result(mask.size());
    for (size_t w = 0; w < mask.size(); w++)
        for (unsigned shift = 0; shift < 64; shift += 8)
            result[w] |= uint64_t{rounded(static_cast<uint8_t>(mask[w] >> shift), level)} << shift;
    return result;
}

// A group for each mask; if these are too many, for each rounded mask; what is left over after that goes together.
std::vector<Group> groups_of(unsigned words, const std::vector<Sampled>& shapes) {
    std::map<Mask, Group> found;
    for (unsigned level = 0; level < 3; level++) {
        found.clear();
        for (size_t i = 0; i < shapes.size(); i++) {
            const Mask mask(shapes[i].mask, shapes[i].mask + words);
            Group& group = found[rounded(mask, level)];
            group.mask = group.members.empty() ? mask : both(group.mask, mask);
            group.values.insert(group.values.end(), shapes[i].values.begin(), shapes[i].values.end());
            group.members.push_back(i);
        }
        if (found.size() <= kMaxGroups) break;
    }
    std::vector<Group> groups;
    for (auto& [_, group] : found) groups.push_back(std::move(group));
    std::stable_sort(groups.begin(), groups.end(),
                     [](const Group& a, const Group& b) { return a.values.size() > b.values.size(); });
    while (groups.size() > kMaxGroups) {
        const Group& last = groups.back();
        Group& rest = groups[kMaxGroups - 1];
        rest.mask = both(rest.mask, last.mask);
        rest.values.insert(rest.values.end(), last.values.begin(), last.values.end());
        rest.members.insert(rest.members.end(), last.members.begin(), last.members.end());
        groups.pop_back();
    }
    return groups;
}

void add(Group& to, const Group& other) {
    to.mask = to.members.empty() ? other.mask : both(to.mask, other.mask);
    to.values.insert(to.values.end(), other.values.begin(), other.values.end());
    to.members.insert(to.members.end(), other.members.begin(), other.members.end());
}

class Merger {
public:
    Merger(unsigned words, const std::vector<Sampled>& shapes, double share)
        : words_(words), shapes_(shapes), groups_(groups_of(words, shapes)) {
        size_t sampled = 0;
        for (const Group& group : groups_) sampled += group.values.size();
        counter_ = Counter(sampled);
        // Of the whole set 1 / share² as many pairs meet. A lookup that comes for one of two rules meets the other.
        if (sampled) per_pair_ = 2 * kComparison / (share * static_cast<double>(sampled));
        for (Group& group : groups_) group.crowd = crowd(group.mask, group, {});
        best_.resize(groups_.size());
        for (size_t a = 0; a < groups_.size(); a++) look_for_best(a);
    }

    std::vector<Merged> run() {
        while (merge_two()) {
        }
        std::erase_if(groups_, [](const Group& group) { return group.members.empty(); });
        for (size_t i = 0; i < groups_.size();) i = dissolve(i) ? 0 : i + 1;
        for (Group& group : groups_) move_members(group);
        std::vector<Merged> result;
        for (Group& group : groups_) result.push_back({std::move(group.mask), std::move(group.members)});
        return result;
    }

private:
    struct Best {
        size_t with = 0;
        double score = 0;  // 0: nothing gains
    };

    double crowd(const Mask& mask, const Group& a, const Group& b) { return counter_.pairs(mask, a.values, b.values); }
    // With which later group it gains most.
    void look_for_best(size_t a) {
        best_[a] = {};
        for (size_t b = a + 1; b < groups_.size(); b++) consider(a, b);
    }
    void consider(size_t first, size_t second) {
        const Group &a = groups_[first], &b = groups_[second];
        if (a.members.empty() || b.members.empty()) return;
        const Mask mask = both(a.mask, b.mask);
        const double gain = kProbe - per_pair_ * (crowd(mask, a, b) - a.crowd - b.crowd);
        const double score = gain + kBit * bits(mask);
        if (gain > 0 && score > best_[first].score) best_[first] = {second, score};
    }

    // Merges the two groups that gain most; whether any do.
    bool merge_two() {
        const auto found = std::max_element(best_.begin(), best_.end(),
                                            [](const Best& x, const Best& y) { return x.score < y.score; });
        if (found == best_.end() || found->score <= 0) return false;
        const auto into = static_cast<size_t>(found - best_.begin());
        const size_t from = found->with;
        add(groups_[into], groups_[from]);
        groups_[into].crowd = crowd(groups_[into].mask, groups_[into], {});
        groups_[from] = {};
        best_[from] = {};
        look_for_best(into);
        for (size_t i = 0; i < groups_.size(); i++) {
            if (i == into || groups_[i].members.empty()) continue;
            if (best_[i].score > 0 && (best_[i].with == into || best_[i].with == from))
                look_for_best(i);
            else if (i < into)
                consider(i, into);
        }
        return true;
    }

    // Gives each member to another group whose mask it has, if that makes the whole cheaper.
    bool dissolve(size_t i) {
        std::vector<Group> without = groups_;
        without.erase(without.begin() + static_cast<ptrdiff_t>(i));
        double cost = -kProbe - per_pair_ * groups_[i].crowd;
        for (size_t member : groups_[i].members) {
            const Group single = single_group(member);
            Group* best = nullptr;
            double least = 0;
            for (Group& group : without) {
                if (both(group.mask, single.mask) != group.mask) continue;
                const double more = crowd(group.mask, group, single) - group.crowd;
                if (!best || more < least) best = &group, least = more;
            }
            if (!best || (cost += per_pair_ * least) >= 0) return false;
            add(*best, single);
            best->crowd += least;
        }
        groups_ = std::move(without);
        for (Group& group : groups_) tighten(group);
        return true;
    }

    // Moves those to other groups that do better there.
    void move_members(Group& from) {
        for (const size_t member : std::vector<size_t>(from.members)) {
            if (from.members.size() == 1) return;
            const Group single = single_group(member);
            Group rest;
            for (size_t other : from.members)
                if (other != member) add(rest, single_group(other));
            rest.crowd = crowd(rest.mask, rest, {});
            double least = from.crowd - rest.crowd;
            Group* best = nullptr;
            for (Group& group : groups_) {
                if (&group == &from || both(group.mask, single.mask) != group.mask) continue;
                const double more = crowd(group.mask, group, single) - group.crowd;
                if (more < least) best = &group, least = more;
            }
            if (!best) continue;
            add(*best, single);
            best->crowd += least;
            from = std::move(rest);
        }
    }

    Group single_group(size_t member) const {
        const Sampled& shape = shapes_[member];
        return {{shape.mask, shape.mask + words_}, shape.values, {member}};
    }

    // To all bits that its members share.
    void tighten(Group& group) {
        for (size_t i = 0; i < group.members.size(); i++) {
            const uint64_t* const mask = shapes_[group.members[i]].mask;
            const Mask whole(mask, mask + words_);
            group.mask = i ? both(group.mask, whole) : whole;
        }
        group.crowd = crowd(group.mask, group, {});
    }

    const unsigned words_;
    const std::vector<Sampled>& shapes_;
    std::vector<Group> groups_;
    std::vector<Best> best_;
    Counter counter_{0};
    double per_pair_ = 0;
};

}  // namespace

std::vector<Merged> merge(unsigned words, const std::vector<Sampled>& shapes, double share) {
    return Merger(words, shapes, share).run();
}

}  // namespace turnout::classify
