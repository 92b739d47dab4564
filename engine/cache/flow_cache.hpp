// SPDX-License-Identifier: Apache-2.0
// The flow cache: exact match from the fields that the loaded rules read to the verdict that they gave. One per worker.
//
// A learning switch reads the two MAC addresses, the VLAN tag and the port, 16 bytes in all; an entry is half a cache
// line, and a hit saves both walks of the Fdb. An entry holds for one second and for one generation of its bridge:
// after a second the walk refreshes what it learned, and anything that could make the verdict wrong changes the
// generation.
//
// Only verdicts that name one output are kept. Where they are rare (floods, far more flows than entries) lookups are
// wasted: the cache counts its hits and rests while they are few.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "engine/classify/verdict.hpp"

namespace turnout {

class FlowCache {
public:
    struct Key {
        uint64_t low, high;
        bool operator==(const Key&) const = default;
    };
    // Addresses as Fdb::key() takes them.
    static Key key(uint64_t dst, uint64_t src, uint16_t vid, PortNo port) {
        const uint64_t mac = 0xffff'ffff'ffff;
        return {(dst & mac) | src << 48, (src & mac) >> 16 | uint64_t{vid} << 32 | uint64_t{port} << 48};
    }
    // When an entry was made: its second and its bridge's generation and plan.
    static uint64_t stamp(uint32_t second, uint32_t generation, uint32_t epoch) {
        return uint64_t{second} << 32 | (generation * 0x9e3779b1u ^ epoch);
    }
    // The Fdb's hashes of both addresses serve here as well.
    static uint64_t hash(uint64_t dst_hash, uint64_t src_hash, PortNo port) {
        return src_hash + std::rotl(dst_hash, 23) + port;
    }

    FlowCache() : entries_(kEntries) {}

    bool resting() const { return rest_ > 0; }
    void prefetch(uint64_t hash) const { __builtin_prefetch(&entries_[hash & (kEntries - 1)]); }
    bool find(const Key& key, uint64_t hash, uint64_t stamp, Verdict& verdict) const {
        const Entry& entry = entries_[hash & (kEntries - 1)];
        if (entry.key != key || entry.stamp != stamp) return false;
        verdict = entry.verdict;
        return true;
    }
    void insert(const Key& key, uint64_t hash, uint64_t stamp, Verdict verdict) {
        entries_[hash & (kEntries - 1)] = {key, stamp, verdict};
    }
    // After each burst: how many packets there were, how many hit.
    void note(unsigned packets, unsigned hits) {
        if (rest_ > 0) {
            rest_ = rest_ > packets ? rest_ - packets : 0;
            return;
        }
        looked_ += packets;
        hits_ += hits;
        if (looked_ < kTrial) return;
        if (hits_ < looked_ / 2) rest_ = kRest;
        looked_ = hits_ = 0;
    }

private:
    static constexpr size_t kEntries = 1 << 14;                   // 512 KiB: what a core's own cache holds
    static constexpr uint32_t kTrial = 1 << 13, kRest = 1 << 20;  // packets

    struct alignas(32) Entry {
        Key key{};
        uint64_t stamp = 0;
        Verdict verdict;
    };
    std::vector<Entry> entries_;
    uint32_t looked_ = 0, hits_ = 0, rest_ = 0;
};

}  // namespace turnout
