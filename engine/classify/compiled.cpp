// SPDX-License-Identifier: Apache-2.0
#include "engine/classify/compiled.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <new>
#include <utility>

#include "engine/classify/conjunction.hpp"
#include "engine/classify/merge.hpp"

namespace turnout::classify {
namespace {

constexpr size_t kFew = 4;           // rules up to which comparing each is faster than hashing
constexpr size_t kCrowd = 16;        // rules that may meet in one place of a tuple coarser than they are
constexpr size_t kWorthMerging = 4;  // tuples
constexpr size_t kSample = 512;      // rules that merging looks at

size_t lines_of(const Layout& layout) { return (sizeof(Rule) + layout.words() * sizeof(uint64_t) + kLine - 1) / kLine; }
static_assert(sizeof(Rule) + kMaxWords * sizeof(uint64_t) <= Arena::kMaxLines * kLine);

Entry* entry(Rule* rule) { return static_cast<Entry*>(rule); }
const Entry* entry(const Rule* rule) { return static_cast<const Entry*>(rule); }

// Of a mask of eth_type and a prefix of the IPv4 destination; -1: another.
int prefix_length(const FlowKey& mask) {
    FlowKey rest = mask;
    rest.net.ipv4_dst = {};
    FlowKey type{};
    type.eth.type = Be16::of(0xffff);
    if (std::memcmp(&rest, &type, sizeof rest) != 0) return -1;
    const uint32_t bits = mask.net.ipv4_dst.host();
    const int length = std::countl_one(bits);
    return std::popcount(bits) == length ? length : -1;
}

bool same_values(const Entry& entry, const uint64_t* values, unsigned words) {
    return std::memcmp(entry.values(), values, words * sizeof(uint64_t)) == 0;
}

}  // namespace

// --- reclamation

void Compiled::Retired::hand_over(Reclaimer& to) {
    for (const Item& item : std::exchange(items_, {})) to.later(item.what, item.free);
}

Compiled::Compiled(Reclaimer& reclaimer) : reclaimer_(reclaimer), view_(nullptr) {
    auto view = std::make_unique<View>();
    view->linear = true;
    view_.store(view.release(), std::memory_order_release);
    for (const FlowKey& reads : common_reads()) layouts_.push_back(std::make_unique<Layout>(reads));
}

Compiled::~Compiled() {
    delete view_.load(std::memory_order_relaxed);
    delete[] shapes_.load(std::memory_order_relaxed);
}

void Compiled::leave() {
    if (leaving_.empty()) return;
    auto* const batch = new Leaving{shared_from_this(), std::exchange(leaving_, {})};
    reclaimer_.later(batch, [](void* p) {
        std::unique_ptr<Leaving> unlinking(static_cast<Leaving*>(p));
        Compiled& from = *unlinking->from;
        if (from.closed_) return;  // all of its memory goes at once
        for (Entry* rule : unlinking->rules) from.unlink(rule);
        from.retired_.later(unlinking.release(), [](void* q) {
            const std::unique_ptr<Leaving> freeing(static_cast<Leaving*>(q));
            if (!freeing->from->closed_)
                for (Entry* rule : freeing->rules) freeing->from->free(rule);
        });
        from.retired_.hand_over(from.reclaimer_);
    });
}

void Compiled::free(Entry* rule) {
    Shape* const of = shape(*rule);
    const size_t lines = lines_of(*of->layout);
    rule->~Entry();
    arena_.free(rule, lines);
    release(of);
}

// --- shapes and layouts

size_t Compiled::MaskHash::operator()(const FlowKey& mask) const {
    uint64_t h = 0;
    for (size_t i = 0; i < kKeyWords; i++) h = (h ^ word(mask, i)) * 0x9e37'79b9'7f4a'7c15, h ^= h >> 32;
    return h;
}

Shape* Compiled::find_shape(const FlowKey& mask, bool soft) const {
    if (last_shape_ && last_shape_->soft == soft && MaskEqual()(last_shape_->mask, mask)) return last_shape_;
    const auto found = by_mask_[soft].find(mask);
    return found == by_mask_[soft].end() ? nullptr : found->second.get();
}

Shape* Compiled::shape_of(const FlowKey& mask, bool soft) {
    if (Shape* const known = find_shape(mask, soft)) return last_shape_ = known;
    auto made = std::make_unique<Shape>();
    made->mask = mask;
    made->layout = layout_for(mask);
    made->layout->pack(mask, made->packed);
    made->soft = soft;
    if (!soft) made->prefix = prefix_length(mask);
    if (free_shapes_.empty()) {
        if (n_shapes_ == size_t{1} << 24) throw std::bad_alloc();
        if (n_shapes_ == room_for_shapes_) {
            room_for_shapes_ = std::max<size_t>(16, 2 * room_for_shapes_);
            Shape** const larger = new Shape*[room_for_shapes_]();
            Shape** const old = shapes_.load(std::memory_order_relaxed);
            std::copy_n(old, n_shapes_, larger);
            shapes_.store(larger, std::memory_order_release);
            retired_.later(old, [](void* p) { delete[] static_cast<Shape**>(p); });
        }
        free_shapes_.push_back(static_cast<uint32_t>(n_shapes_++));
    }
    made->id = free_shapes_.back();
    free_shapes_.pop_back();
    shapes_.load(std::memory_order_relaxed)[made->id] = made.get();
    last_shape_ = made.get();
    by_mask_[soft].emplace(mask, std::move(made));
    return last_shape_;
}

void Compiled::release(Shape* shape) {
    if (--shape->users) return;
    if (last_shape_ == shape) last_shape_ = nullptr;
    free_shapes_.push_back(shape->id);
    by_mask_[shape->soft].erase(FlowKey(shape->mask));
}

// The common layouts first; then those made for this table, the latest of which covers what the ones before it do.
const Layout* Compiled::layout_for(const FlowKey& mask) {
    for (const auto& layout : layouts_)
        if (layout->holds(mask)) return layout.get();
    FlowKey reads = mask;
    for (size_t i = common_reads().size(); i < layouts_.size(); i++)
        reads = bits_of_either(reads, layouts_[i]->covers());
    layouts_.push_back(std::make_unique<Layout>(reads));
    return layouts_.back().get();
}

// --- tuples

// A tuple of the rule's own mask takes it. So does a coarser one, the finest first, where it meets few others.
Tuple* Compiled::home_for(Shape* shape, const uint64_t* values) {
    if (prefixes_ && shape->prefix >= 0) return prefix_home(shape);
    const auto takes = [&](const Tuple& tuple) {
        if (by_prefix(tuple) || tuple.soft() != shape->soft) return false;
        if (tuple.own_shape() == shape->id) return true;
        return tuple.crowd(values) < kCrowd;
    };
    for (const Shape::Home& home : shape->homes)
        if (takes(*home.tuple)) return home.tuple;
    Tuple* best = nullptr;
    unsigned best_bits = 0;
    for (const auto& tuple : tuples_) {
        if (&tuple->layout() != shape->layout || !has_bits(shape->mask, tuple->mask())) continue;
        const unsigned bits = tuple->bits();
        if ((best && bits <= best_bits) || !takes(*tuple)) continue;
        best = tuple.get();
        best_bits = bits;
    }
    return best ? best : add_tuple(*shape->layout, shape->mask, shape->soft);
}

Tuple* Compiled::prefix_home(const Shape* shape) {
    Tuple*& tuple = by_length_[static_cast<size_t>(shape->prefix)];
    return tuple ? tuple : tuple = add_tuple(*shape->layout, shape->mask);
}

Tuple* Compiled::add_tuple(const Layout& layout, const FlowKey& mask, bool soft) {
    uint32_t own = Tuple::kNoShape;
    const auto known = by_mask_[soft].find(mask);
    if (known != by_mask_[soft].end() && known->second->layout == &layout) {
        own = known->second->id;
        known->second->users++;
    }
    tuples_.push_back(std::make_unique<Tuple>(layout, mask, own, soft));
    if (tuples_.size() > 2 * tuples_then_ + 4) until_merge_ = std::min(until_merge_, kFirstMerge + linked_ / 8);
    return tuples_.back().get();
}

// The tuple is in no view any more, and no shape's home.
void Compiled::retire(std::unique_ptr<Tuple> tuple) {
    if (tuple->own_shape() != Tuple::kNoShape) release(shapes_.load(std::memory_order_relaxed)[tuple->own_shape()]);
    retired_.later(tuple.release());
}

void Compiled::settle(Shape* shape, Tuple* tuple) {
    auto& homes = shape->homes;
    auto home = std::find_if(homes.begin(), homes.end(), [&](const Shape::Home& h) { return h.tuple == tuple; });
    if (home == homes.end()) home = homes.insert(homes.end(), {tuple, 0});
    home->rules++;
}

void Compiled::link(Entry* entry, Tuple* tuple) {
    settle(shape(*entry), tuple);
    tuple->insert(entry, retired_);
    linked_++;
    if (shape(*entry)->prefix >= 0) prefix_linked(*entry);
    refresh(*tuple);
}

void Compiled::unlink(Entry* entry) {
    auto& homes = shape(*entry)->homes;
    const auto home =
        std::find_if(homes.begin(), homes.end(), [&](const Shape::Home& h) { return h.tuple->erase(entry, retired_); });
    Tuple* const tuple = home->tuple;
    if (--home->rules == 0) homes.erase(home);
    linked_--;
    if (shape(*entry)->prefix >= 0) prefix_unlinked(*entry);
    refresh(*tuple);
    if (tuple->size()) return;
    if (by_prefix(*tuple)) by_length_[static_cast<size_t>(shape(*entry)->prefix)] = nullptr;
    const auto owner = std::find_if(tuples_.begin(), tuples_.end(), [&](const auto& t) { return t.get() == tuple; });
    retire(std::move(*owner));
    tuples_.erase(owner);
}

// --- merging

// After as many insertions as there are rules, or soon after many tuples were added: O(1) for each insertion.
void Compiled::consider_merging() {
    changed_ = true;
    inserted_++;
    if (--until_merge_) return;
    if (tuples_.size() >= kWorthMerging) merge_tuples();
    until_merge_ = std::max(kFirstMerge, linked_);
}

void Compiled::tidy() {
    const bool quiet = !std::exchange(changed_, false);
    if (!quiet || tuples_.size() < 2 || inserted_ < linked_ / 16 + 1) return;
    merge_tuples();
    retired_.hand_over(reclaimer_);
}

// Moves the rules of all tuples but very large ones to new tuples. Until the new view is published workers see the old
// tuples, which are left as they are; which of the two a lookup goes through makes no difference to what it finds.
void Compiled::merge_tuples() {
    inserted_ = 0;
    const auto stays = [this](const Tuple& tuple) {
        return tuple.size() > kTooLargeToMove || tuple.soft() || by_prefix(tuple);
    };
    std::vector<std::unique_ptr<Tuple>> old;
    std::map<const Layout*, std::vector<const Entry*>> rules;
    for (auto& tuple : tuples_) {
        if (stays(*tuple)) continue;
        tuple->for_each([&](const Entry* rule) { rules[&tuple->layout()].push_back(rule); });
        old.push_back(std::move(tuple));
    }
    std::erase(tuples_, nullptr);
    for (const auto& [_, shape] : by_mask_[0])
        std::erase_if(shape->homes, [&](const Shape::Home& home) { return !stays(*home.tuple); });
    for (auto& [layout, all] : rules) resettle(*layout, std::move(all));
    rebuild_view();
    for (auto& tuple : tuples_)
        if (tuple->size() == 0) old.push_back(std::move(tuple));
    std::erase(tuples_, nullptr);
    for (auto& tuple : old) retire(std::move(tuple));
    tuples_then_ = tuples_.size();
}

// Finds tuples for these rules. Those that would meet too many others in their place try again among themselves.
void Compiled::resettle(const Layout& layout, std::vector<const Entry*> rules) {
    constexpr int kRounds = 4;
    if (prefixes_)
        std::erase_if(rules, [this](const Entry* rule) {
            Shape* const of = shape(*rule);
            if (of->prefix < 0) return false;
            Tuple* const tuple = prefix_home(of);
            settle(of, tuple);
            tuple->insert(rule, retired_);
            return true;
        });
    for (int round = 0; round < kRounds && !rules.empty(); round++) {
        std::vector<Sampled> shapes;
        std::unordered_map<const Shape*, size_t> index;
        const size_t stride = rules.size() / kSample + 1;
        for (size_t i = 0; i < rules.size(); i++) {
            const Shape* const of = shape(*rules[i]);
            const auto [at, is_new] = index.emplace(of, shapes.size());
            if (is_new) shapes.push_back({of->packed, {}});
            if (i % stride == 0) shapes[at->second].values.push_back(rules[i]->values());
        }
        std::vector<Tuple*> homes(shapes.size());
        for (const Merged& merged : merge(layout.words(), shapes, 1.0 / static_cast<double>(stride))) {
            Tuple* const tuple = add_tuple(layout, layout.unpack(merged.mask.data()));
            for (size_t member : merged.members) homes[member] = tuple;
        }
        std::vector<const Entry*> left;
        for (const Entry* rule : rules) {
            Shape* const of = shape(*rule);
            Tuple* const tuple = homes[index.at(of)];
            if (round + 1 < kRounds && tuple->crowd(rule->values()) >= kCrowd) {
                left.push_back(rule);
                continue;
            }
            settle(of, tuple);
            tuple->insert(rule, retired_);
        }
        rules = std::move(left);
    }
}

// --- the view

// Makes the view right for a tuple that has gained or lost a rule. A worker that holds the view as it was may miss the
// gained rule, whose version it does not have yet; the lost one nobody may see any more.
void Compiled::refresh(const Tuple& changed) {
    const View& view = *view_.load(std::memory_order_relaxed);
    const bool prefix = by_prefix(changed);
    if (changed.soft() && std::find(view.soft.begin(), view.soft.end(), &changed) != view.soft.end() && changed.size())
        return;
    if (view.linear || linked_ <= kFew || changed.size() == 0 || view.prefixes != prefixes_.get() ||
        (prefix && std::find(view.by_length.begin(), view.by_length.end(), &changed) == view.by_length.end()))
        return rebuild_view();
    const int32_t highest = prefix ? highest_prefix() : changed.highest();
    for (size_t t = 0; t < view.n_items; t++) {
        View::Item& item = view.items[t];
        if (item.tuple != (prefix ? nullptr : &changed)) continue;
        if (item.highest.load(std::memory_order_relaxed) == highest) return;
        const bool sorted =
            (t == 0 || view.items[t - 1].highest.load(std::memory_order_relaxed) >= highest) &&
            (t + 1 == view.n_items || view.items[t + 1].highest.load(std::memory_order_relaxed) <= highest);
        if (!sorted) break;
        item.highest.store(highest, std::memory_order_relaxed);
        return;
    }
    rebuild_view();
}

int32_t Compiled::highest_prefix() const {
    int32_t highest = 0;
    for (const Tuple* tuple : by_length_)
        if (tuple) highest = std::max<int32_t>(highest, tuple->highest());
    return highest;
}

void Compiled::rebuild_view() {
    auto view = std::make_unique<View>();
    std::vector<std::pair<int32_t, const Tuple*>> order;
    for (const auto& tuple : tuples_) {
        if (tuple->size() == 0) continue;
        if (tuple->soft())
            view->soft.push_back(tuple.get());
        else if (by_prefix(*tuple))
            view->by_length.push_back(tuple.get());
        else
            order.emplace_back(tuple->highest(), tuple.get());
    }
    view->linear = linked_ <= kFew;
    if (view->linear) add_few(*view);
    view->prefixes = prefixes_.get();
    view->prefix_type = prefix_type_;
    if (view->prefixes) order.emplace_back(highest_prefix(), nullptr);
    std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    view->n_items = order.size();
    view->items = std::make_unique<View::Item[]>(order.size());
    for (size_t t = 0; t < order.size(); t++) {
        view->items[t].tuple = order[t].second;
        view->items[t].highest.store(order[t].first, std::memory_order_relaxed);
    }
    retired_.later(view_.load(std::memory_order_relaxed));
    view_.store(view.release(), std::memory_order_release);
}

void Compiled::add_few(View& view) const {
    for (const auto& tuple : tuples_) {
        if (tuple->soft()) continue;
        tuple->for_each([&](const Entry* rule) { view.few.push_back({rule, 0, 0}); });
    }
    std::sort(view.few.begin(), view.few.end(),
              [](const View::One& a, const View::One& b) { return a.rule->priority > b.rule->priority; });
    for (View::One& one : view.few) {
        const Match match = match_of(*one.rule);
        one.first = view.tests.size();
        for (size_t i = 0; i < kKeyWords; i++)
            if (word(match.mask, i)) view.tests.push_back({word(match.mask, i), word(match.value, i), i});
        one.n = view.tests.size() - one.first;
    }
}

// --- control

Rule* Compiled::insert(const Match& match, const Classifier::NewRule& rule) {
    if (rule.added > leaving_at_) leave();
    Shape* const of = shape_of(match.mask, is_clause(rule.program));
    Entry* const made = new (arena_.allocate(lines_of(*of->layout))) Entry{};
    made->program = rule.program;
    made->flow = rule.flow;
    made->added = rule.added & 0xffff'ffff'ffff;
    made->priority = rule.priority;
    made->tally = rule.tally;
    made->table = rule.table;
    made->shape = of->id & 0xff'ffff;
    of->layout->pack(match.value, made->values());
    of->users++;
    if (size_++ == 0) reads_ = FlowKey{};
    reads_ = bits_of_either(reads_, match.mask);
    link(made, home_for(of, made->values()));
    if (!prefixes_ && n_prefixes_ >= try_prefixes_at_) try_prefixes();
    consider_merging();
    retired_.hand_over(reclaimer_);
    return made;
}

void Compiled::remove(Rule* rule, Version at) {
    if (rule->added >= at) return undo(rule);  // no version has it
    if (at > leaving_at_) leave();
    leaving_at_ = at;
    rule->removed.store(at, std::memory_order_relaxed);
    leaving_.push_back(entry(rule));
    size_--;
}

void Compiled::undo(Rule* rule) {
    rule->removed.store(0, std::memory_order_relaxed);
    size_--;
    unlink(entry(rule));
    struct Undone {
        std::shared_ptr<Compiled> from;
        Entry* rule;
    };
    retired_.later(new Undone{shared_from_this(), entry(rule)}, [](void* p) {
        const std::unique_ptr<Undone> undone(static_cast<Undone*>(p));
        if (!undone->from->closed_) undone->from->free(undone->rule);
    });
    retired_.hand_over(reclaimer_);
}

void Compiled::published(Version at) {
    if (leaving_at_ <= at) leave();
}

Rule* Compiled::find(const Match& match, uint16_t priority, Version at) const {
    Rule* const hard = find(find_shape(match.mask, false), match, priority, at);
    return hard || by_mask_[1].empty() ? hard : find(find_shape(match.mask, true), match, priority, at);
}

Rule* Compiled::find(const Shape* of, const Match& match, uint16_t priority, Version at) const {
    if (!of) return nullptr;
    uint64_t values[kMaxWords];
    of->layout->pack(match.value, values);
    for (const Shape::Home& home : of->homes) {
        const Entry* const found = home.tuple->find(values, [&](const Entry* rule) {
            return rule->shape == of->id && rule->priority == priority && rule->visible(at) &&
                   same_values(*rule, values, of->layout->words());
        });
        if (found) return const_cast<Entry*>(found);
    }
    return nullptr;
}

Match Compiled::match_of(const Rule& rule) const {
    const Shape& of = *shape(rule);
    return {of.layout->unpack(entry(&rule)->values()), of.mask};
}

void Compiled::for_each(const Match& wide, Version at, const std::function<void(Rule&)>& visit) const {
    std::vector<Entry*> found;
    std::vector<uint64_t> value(kMaxWords), mask(kMaxWords);
    for (const auto& tuple : tuples_) {
        const Layout& layout = tuple->layout();
        if (!layout.holds(wide.mask)) continue;
        layout.pack(wide.value, value.data());
        layout.pack(wide.mask, mask.data());
        tuple->for_each([&](const Entry* rule) {
            if (!rule->visible(at)) return;
            const Shape& of = *shape(*rule);
            uint64_t differs = 0;
            for (unsigned w = 0; w < layout.words(); w++)
                differs |= (mask[w] & ~of.packed[w]) | ((rule->values()[w] & mask[w]) ^ value[w]);
            if (!differs) found.push_back(const_cast<Entry*>(rule));
        });
    }
    for (Entry* rule : found) visit(*rule);
}

}  // namespace turnout::classify
