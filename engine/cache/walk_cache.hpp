// SPDX-License-Identifier: Apache-2.0
// The flow cache of OpenFlow pipelines: from the bits of an arriving packet's key that any rule reads to the rules that
// its walk through the tables found. One per worker.
//
// A hit saves the lookups and nothing else: tallies, actions, meters and groups are done as ever, so that only a change
// of the rules makes an entry wrong. An entry is good for one version of its pipeline and one plan. A packet's kind is
// all of those bits, so nobody can make an entry that serves others' packets worse.
//
// An entry is a cache line, with a second one where bits or tables are many. The worker measures: lookups and cache are
// timed in turn, and the cache rests while it is not the cheaper one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/act/trail.hpp"
#include "engine/flow/key.hpp"

namespace turnout {

class WalkCache {
public:
    static constexpr unsigned kMostWords = 12;

    // A packet's bits that count, close together.
    struct Key {
        uint64_t hash;
        uint64_t words[kMostWords];
    };

    enum class Policy : uint8_t { Measured, Always, Never };
    explicit WalkCache(Policy policy = Policy::Measured);
    ~WalkCache();
    WalkCache(const WalkCache&) = delete;
    WalkCache& operator=(const WalkCache&) = delete;

    // Before each burst: what its packets' kind is made of. false: too much for an entry.
    bool begin(const FlowKey& mask, const void* pipeline, Version version, uint32_t epoch);
    void pack(const FlowKey& key, Key& packed) const;
    void prefetch(const Key& key) const { __builtin_prefetch(lines_ + set_of(key)); }
    bool find(const Key& key, Trail& trail) const;
    void insert(const Key& key, const Trail& trail);

    // Whether this burst is to use the cache, and what came of it: TSC cycles spent on lookups, or on cache and
    // lookups.
    bool use() const { return mode_ == Mode::Use; }
    bool timed() const { return mode_ != Mode::Rest; }
    void note(unsigned packets, uint64_t cycles);

private:
    static constexpr size_t kLines = 1 << 18, kWays = 2;
    static constexpr unsigned kNear = 5;  // words in the first line, beside one rule
    static constexpr unsigned kFar = 8;   // words and rules in the second
    struct alignas(64) Line {
        uint64_t stamp;  // 0: empty
        uint64_t shape;  // of the hash the upper part, number of rules
        Trail::Step rule;
        uint64_t words[kNear];
    };
    struct alignas(64) More {
        uint64_t words[kFar];  // the rest of the key, then the rest of the rules
    };
    enum class Mode : uint8_t { Watch, Rest, Use };

    static size_t set_of(const Key& key) { return key.hash & (kLines - 1) & ~(kWays - 1); }
    uint64_t shape_of(const Key& key, unsigned rules) const { return (key.hash & ~uint64_t{0xffff}) | rules; }
    bool same(const Line& line, const Key& key) const;
    void turn(Mode mode, uint64_t packets);

    Line* lines_;
    More* more_;
    // The pipeline's kind of key
    uint64_t stamp_ = 0;
    FlowKey mask_{};
    const void* pipeline_ = nullptr;
    const FlowKey* mask_from_ = nullptr;
    Version version_ = 0;
    uint32_t epoch_ = 0;
    unsigned n_ = 0;
    bool fits_ = false;
    std::array<uint8_t, kMostWords> at_{};     // word of the key
    std::array<uint64_t, kMostWords> bits_{};  // of it
    // What is cheaper
    const Policy policy_;
    Mode mode_ = Mode::Watch;
    uint64_t left_ = kWatch;  // packets until the mode is thought over
    uint64_t packets_ = 0, cycles_ = 0;
    double walking_ = 0;  // cycles a packet
    unsigned failed_ = 0, windows_ = 0;
    static constexpr uint64_t kWatch = 1 << 14, kWindow = 1 << 17, kRest = 1 << 20;
    static constexpr double kWorth = 120;  // cycles a packet below which lookups are not worth saving
};

}  // namespace turnout
