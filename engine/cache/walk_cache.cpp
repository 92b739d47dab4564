// SPDX-License-Identifier: Apache-2.0
#include "engine/cache/walk_cache.hpp"

#include <algorithm>
#include <random>

#include "engine/act/hash.hpp"

namespace turnout {
namespace {

uint64_t fold(uint64_t a, uint64_t b) {
    const auto product = static_cast<unsigned __int128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// Numbers that nobody outside knows: which kinds share a place depends on them.
const Usual::Words& secrets() {
    static const Usual::Words numbers = [] {
        std::random_device random;
        Usual::Words made;
        for (uint64_t& n : made) n = uint64_t{random()} << 32 | random();
        return made;
    }();
    return numbers;
}

}  // namespace

WalkCache::WalkCache(Policy policy) : policy_(policy) {
    if (policy != Policy::Measured) mode_ = policy == Policy::Always ? Mode::Use : Mode::Rest;
}

void WalkCache::begin(const FlowKey& mask, const void* pipeline, Version version, uint32_t epoch, PortNo in_port) {
    // A mask that took the place of a freed one came with another version.
    if (&mask == mask_ && pipeline == pipeline_ && version == version_ && epoch == epoch_ && in_port == in_port_)
        [[likely]]
        return;
    mask_ = &mask;
    pipeline_ = pipeline;
    version_ = version;
    epoch_ = epoch;
    in_port_ = in_port;
    bits_ = Usual::mask(mask);
    stamp_ = mix(mix(version ^ mix(uint64_t{epoch} << 16 | in_port)) ^ reinterpret_cast<uintptr_t>(pipeline));
    for (const uint64_t bits : bits_) stamp_ = mix(stamp_ ^ bits);
    stamp_ |= 1;
}

void WalkCache::sort(const uint8_t* usual, Kind& kind) const {
    kind.words = Usual::words(usual);
    for (size_t i = 0; i < bits_.size(); i++) kind.words[i] &= bits_[i];
    const Usual::Words& secret = secrets();
    kind.hash = fold(kind.words[0] ^ secret[0], kind.words[1] ^ secret[1]) +
                fold(kind.words[2] ^ secret[2], kind.words[3] ^ secret[3]) + stamp_;
}

bool WalkCache::same(const Entry& entry, const Kind& kind) const {
    uint64_t differs = entry.stamp ^ stamp_;
    for (size_t i = 0; i < kind.words.size(); i++) differs |= entry.words[i] ^ kind.words[i];
    return differs == 0;
}

const WalkCache::Entry* WalkCache::find(const Kind& kind) const {
    for (size_t way = 0; way < kWays; way++)
        if (const size_t at = place(kind) ^ way; same(entries_[at], kind)) return &entries_[at];
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
    entries_[i] = {stamp_, kind.words, steps[0], 0, end, static_cast<uint8_t>(trail.size())};
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
            return turn(Mode::Watch, kWatch);
        case Mode::Watch:
            without_ = cost;
            windows_ = 0;
            return turn(Mode::Use, kWindow);
        case Mode::Use:
            windows_++;
            if (cost < without_ * 0.9) {
                failed_ = 0;
                // From time to time the other way is measured again.
                return windows_ < 64 ? turn(Mode::Use, kWindow) : turn(Mode::Watch, kWatch);
            }
            if (windows_ < 3) return turn(Mode::Use, kWindow);  // it has to fill first
            failed_ = std::min(failed_ + 1, 6u);
            return turn(Mode::Rest, kRest << failed_);
    }
}

}  // namespace turnout
