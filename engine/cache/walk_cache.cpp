// SPDX-License-Identifier: Apache-2.0
#include "engine/cache/walk_cache.hpp"

#include <algorithm>

#include "engine/act/hash.hpp"

namespace turnout {
WalkCache::WalkCache(Policy policy) : policy_(policy) {
    if (policy != Policy::Measured) mode_ = policy == Policy::Always ? Mode::Use : Mode::Rest;
}

void WalkCache::begin(const FlowKey& mask, const of::Changes& changes, Version version, uint32_t epoch,
                      PortNo in_port) {
    const bool same_version = version == version_;  // a mask that took the place of a freed one came with another
    version_ = version;
    if (same_version && &mask == mask_ && &changes == changes_ && epoch == epoch_ && in_port == in_port_) [[likely]]
        return;
    mask_ = &mask;
    changes_ = &changes;
    epoch_ = epoch;
    in_port_ = in_port;
    bits_ = Usual::words(mask);
    stamp_ = mix(mix(uint64_t{epoch} << 16 | in_port) ^ reinterpret_cast<uintptr_t>(&changes));
    for (size_t w = 0; w < bits_.size(); w++) stamp_ = mix(stamp_ ^ (bits_[w] |= Usual::kProtocol[w]));
    stamp_ |= 1;
}

void WalkCache::sort(const uint8_t* usual, Kind& kind) const {
    kind.words = Usual::words(usual);
    for (size_t w = 0; w < bits_.size(); w++) kind.words[w] &= bits_[w];
    kind.hash = Usual::hash(kind.words) + stamp_;
}

bool WalkCache::same(const Entry& entry, const Kind& kind) const {
    uint64_t differs = entry.stamp ^ stamp_;
    for (size_t i = 0; i < kind.words.size(); i++) differs |= entry.words[i] ^ kind.words[i];
    return differs == 0;
}

bool WalkCache::right(Entry& entry) const {
    if (entry.version == version_) [[likely]]
        return true;
    if (!entry.end.plain || changes_->since(entry.version, entry.words)) return false;
    entry.version = version_;
    return true;
}

const WalkCache::Entry* WalkCache::find(const Kind& kind) {
    for (size_t way = 0; way < kWays; way++)
        if (Entry& entry = entries_[place(kind) ^ way]; same(entry, kind)) return right(entry) ? &entry : nullptr;
    return nullptr;
}

void WalkCache::give(const Entry& entry, Trail& trail) const {
    Trail::Step* steps = trail.give(entry.rules);
    steps[0] = entry.first;
    std::copy_n(more_[number(entry)].steps, entry.rules - 1, steps + 1);
}

// In place of what is out of date, or of the same. A set that is full mostly stays as it is: what would take turns in
// it would never be found.
void WalkCache::insert(const Kind& kind, const Trail& trail, End end) {
    size_t i = place(kind), way = 0;
    while (way < kWays && entries_[i ^ way].stamp == stamp_ && !same(entries_[i ^ way], kind)) way++;
    if (way == kWays && ++refused_ % kPatience != 0) return;
    i ^= way % kWays;
    const Trail::Step* steps = trail.steps();
    entries_[i] = {stamp_, version_, kind.words, {steps[0]}, end, static_cast<uint8_t>(trail.size())};
    if (!end.plain) {
        std::copy_n(steps + 1, trail.size() - 1, more_[i].steps);
        return;
    }
    entries_[i].tally = Trail::rule(steps[0])->tally;
    for (unsigned s = 1; s < trail.size(); s++)
        more_[i].counts[s - 1] = {Trail::rule(steps[s])->tally, Trail::rule(steps[s])->table};
}

void WalkCache::turn(Mode mode, uint64_t packets) {
    mode_ = mode;
    left_ = packets;
    packets_ = cycles_ = 0;
}

void WalkCache::note(unsigned packets, uint64_t cycles) {
    if (policy_ != Policy::Measured) return;
    packets_ += packets;
    cycles_ += cycles;
    if (left_ > packets) {
        left_ -= packets;
        return;
    }
    const double cost = static_cast<double>(cycles_) / static_cast<double>(packets_ ? packets_ : 1);
    switch (mode_) {
        case Mode::Rest:
        case Mode::Warm:
            return turn(Mode::Watch, kWatch);
        case Mode::Watch:
            without_ = cost;
            windows_ = bad_ = 0;
            return turn(Mode::Use, kWindow);
        case Mode::Use:
            windows_++;
            bad_ = cost < without_ * 0.9 ? 0 : bad_ + 1;
            if (bad_ == 0) failed_ = 0;
            if (bad_ == kBad) {
                failed_ = std::min(failed_ + 1, 6u);
                return turn(Mode::Rest, kRest << failed_);
            }
            // From time to time the other way is measured again.
            return windows_ < 64 ? turn(Mode::Use, kWindow) : turn(Mode::Warm, kWatch);
    }
}

}  // namespace turnout
