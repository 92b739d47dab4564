// SPDX-License-Identifier: Apache-2.0
#include "engine/cache/walk_cache.hpp"

#include <nmmintrin.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "engine/act/hash.hpp"
#include "engine/flow/match.hpp"

namespace turnout {
namespace {

// Address space; memory only where it is used.
void* reserve(size_t bytes) {
    void* room = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) throw std::bad_alloc();
    madvise(room, bytes, MADV_HUGEPAGE);
    return room;
}

}  // namespace

WalkCache::WalkCache(Policy policy)
    : lines_(static_cast<Line*>(reserve(kLines * sizeof(Line)))),
      more_(static_cast<More*>(reserve(kLines * sizeof(More)))),
      policy_(policy) {
    if (policy != Policy::Measured) mode_ = policy == Policy::Always ? Mode::Use : Mode::Rest;
}

WalkCache::~WalkCache() {
    munmap(lines_, kLines * sizeof(Line));
    munmap(more_, kLines * sizeof(More));
}

bool WalkCache::begin(const FlowKey& mask, const void* pipeline, Version version, uint32_t epoch) {
    // A mask that took the place of a freed one came with another version.
    if (&mask == mask_from_ && pipeline == pipeline_ && version == version_ && epoch == epoch_) [[likely]]
        return fits_;
    mask_from_ = &mask;
    pipeline_ = pipeline;
    version_ = version;
    epoch_ = epoch;
    n_ = 0;
    stamp_ = mix(mix(version ^ mix(epoch)) ^ reinterpret_cast<uintptr_t>(pipeline));
    fits_ = true;
    for (size_t i = 0; i < kKeyWords; i++) {
        const uint64_t bits = word(mask, i);
        if (bits == 0) continue;
        if (n_ == kMostWords) return fits_ = false;
        at_[n_] = static_cast<uint8_t>(i);
        bits_[n_++] = bits;
        stamp_ = mix(stamp_ ^ bits) + i;
    }
    stamp_ |= 1;
    return true;
}

void WalkCache::pack(const FlowKey& key, Key& packed) const {
    uint64_t low = stamp_, high = ~stamp_;
    for (unsigned i = 0; i < n_; i++) {
        const uint64_t value = word(key, at_[i]) & bits_[i];
        packed.words[i] = value;
        low = _mm_crc32_u64(low, value);
        high = _mm_crc32_u64(high, value * 0x9e3779b97f4a7c15);
    }
    for (unsigned i = n_; i < kNear; i++) packed.words[i] = 0;
    packed.hash = low | high << 32;
}

bool WalkCache::same(const Line& line, const Key& key) const {
    uint64_t differs = (line.stamp ^ stamp_) | (line.shape ^ key.hash) >> 16;
    for (unsigned i = 0; i < kNear; i++) differs |= line.words[i] ^ key.words[i];
    for (unsigned i = kNear; i < n_; i++) differs |= more_[&line - lines_].words[i - kNear] ^ key.words[i];
    return differs == 0;
}

bool WalkCache::find(const Key& key, Trail& trail) const {
    const Line* set = lines_ + set_of(key);
    for (const Line* line = set; line < set + kWays; line++) {
        if (!same(*line, key)) continue;
        const unsigned rules = line->shape & 0xffff;
        Trail::Step* steps = trail.give(rules);
        steps[0] = line->rule;
        if (rules > 1) {
            const unsigned far = n_ > kNear ? n_ - kNear : 0;
            std::memcpy(steps + 1, more_[line - lines_].words + far, (rules - 1) * sizeof(Trail::Step));
        }
        return true;
    }
    return false;
}

void WalkCache::insert(const Key& key, const Trail& trail) {
    const unsigned far = n_ > kNear ? n_ - kNear : 0;
    const unsigned rules = std::min(trail.size(), kFar - far + 1);
    Line* set = lines_ + set_of(key);
    // In place of the same, of what is out of date, or of either.
    Line* line =
        std::find_if(set, set + kWays, [&](const Line& each) { return each.stamp != stamp_ || same(each, key); });
    if (line == set + kWays) line = set + (key.hash >> 32) % kWays;
    line->stamp = stamp_;
    line->shape = shape_of(key, rules);
    line->rule = trail.steps()[0];
    std::memcpy(line->words, key.words, sizeof line->words);
    if (far + rules - 1 == 0) return;
    uint64_t* more = more_[line - lines_].words;
    std::memcpy(more, key.words + kNear, far * 8);
    std::memcpy(more + far, trail.steps() + 1, (rules - 1) * sizeof(Trail::Step));
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
            walking_ = cost;
            windows_ = 0;
            return cost > kWorth ? turn(Mode::Use, kWindow) : turn(Mode::Rest, kRest);
        case Mode::Use:
            windows_++;
            if (cost < walking_ * 0.9) {
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
