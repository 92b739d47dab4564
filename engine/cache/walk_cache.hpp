// SPDX-License-Identifier: Apache-2.0
// The flow cache of OpenFlow pipelines: from the header bytes of a usual packet (parse/usual.hpp) that any rule reads
// to the rules that its walk through the tables found. One per worker.
//
// A hit saves the lookups, and parsing where the rules do nothing but forward; tallies, actions, meters and groups are
// done as ever, so that only a change of the rules makes an entry wrong. An entry is good for one plan and one port,
// and for one version of its pipeline; or, where its rules only forward, until a rule comes or goes that may want the
// same packets (openflow/changes.hpp). A packet's kind is all of those bytes, so nobody can make an entry that serves
// others' packets worse.
//
// An entry is a cache line, with a second one where rules are many. The worker measures: bursts are timed with the
// cache and without, and it rests while it is not the cheaper way.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/act/trail.hpp"
#include "engine/base/drop.hpp"
#include "engine/base/reserved.hpp"
#include "engine/base/types.hpp"
#include "engine/openflow/changes.hpp"
#include "engine/parse/usual.hpp"

namespace turnout {

class WalkCache {
public:
    // What all of a kind's packets share.
    struct Kind {
        Usual::Words words;
        uint64_t hash;
    };
    // Where packets end whose rules do nothing but forward.
    struct End {
        PortNo to;  // kNoPort: nowhere
        Drop why;
        bool plain;  // the rules do nothing else
    };
    struct alignas(64) Entry {
        uint64_t stamp;   // 0: empty
        Version version;  // in which it was last seen to be right
        Usual::Words words;
        union {
            Trail::Step first;
            TallyId tally;  // the first rule's, if the end is plain
        };
        End end;
        uint8_t rules;
    };
    static_assert(sizeof(Entry) == 64);

    enum class Policy : uint8_t { Measured, Always, Never };
    explicit WalkCache(Policy policy = Policy::Measured);

    // Before each burst: what its packets' kind is made of.
    void begin(const FlowKey& mask, const of::Changes& changes, Version version, uint32_t epoch, PortNo in_port);
    void sort(const uint8_t* usual, Kind& kind) const;
    void prefetch(const Kind& kind) const { __builtin_prefetch(&entries_[place(kind)]); }
    const Entry* find(const Kind& kind);
    // Of an entry whose end is plain: where packets are counted after the first rule.
    struct Count {
        TallyId tally;
        uint32_t table;
    };
    const Count* counts(const Entry& entry) const { return more_[number(entry)].counts; }
    void give(const Entry& entry, Trail& trail) const;
    void insert(const Kind& kind, const Trail& trail, End end);

    // Whether this burst is to use the cache, whether it is to be timed, and how long it took [TSC cycles].
    bool use() const { return mode_ == Mode::Use; }
    bool timed() const { return mode_ != Mode::Rest; }
    void note(unsigned packets, uint64_t cycles);

private:
    static constexpr size_t kEntries = 1 << 19, kWays = 4;
    static constexpr unsigned kPatience = 16;  // newcomers to full sets, one of which is let in
    union alignas(64) More {                   // of the rules after the first
        Trail::Step steps[Trail::kMost - 1];
        Count counts[Trail::kMost - 1];  // if the end is plain
    };
    static_assert(sizeof(More) == 64);
    enum class Mode : uint8_t { Warm, Watch, Rest, Use };  // Warm: what lookups read comes into the CPU's caches

    // A kind's set begins here and goes on with its neighbours.
    size_t number(const Entry& entry) const { return static_cast<size_t>(&entry - entries_.data()); }
    static size_t place(const Kind& kind) { return kind.hash & (kEntries - 1); }
    bool same(const Entry& entry, const Kind& kind) const;
    bool right(Entry& entry) const;
    void turn(Mode mode, uint64_t packets);

    Reserved<Entry> entries_{kEntries};
    Reserved<More> more_{kEntries};
    // Of this burst
    uint64_t stamp_ = 0;
    Usual::Words bits_{};
    const of::Changes* changes_ = nullptr;  // the pipeline's
    const FlowKey* mask_ = nullptr;
    Version version_ = 0;
    uint32_t epoch_ = 0;
    PortNo in_port_ = kNoPort;
    unsigned refused_ = 0;
    // What is cheaper
    const Policy policy_;
    Mode mode_ = Mode::Warm;
    uint64_t left_ = kWatch;  // packets until the mode is thought over
    uint64_t packets_ = 0, cycles_ = 0;
    double without_ = 0;  // cycles a packet
    unsigned failed_ = 0, windows_ = 0, bad_ = 0;
    static constexpr uint64_t kWatch = 1 << 17, kWindow = 1 << 17, kRest = 1 << 20;
    static constexpr unsigned kBad =
        3;  // windows in a row: it has to fill first, and now and then a window is disturbed
};

}  // namespace turnout
