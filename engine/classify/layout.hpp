// SPDX-License-Identifier: Apache-2.0
// A layout: the words of a key that a group of rules may read, packed into as few words as hold their bits.
//
// A 5-tuple lies in four of the key's 36 words, 15 of whose 32 bytes matter. The layout cuts the words down to the
// bytes that count, turns them by whole bytes and lays them over each other, so that these 15 bytes are two words. Each
// bit has a place of its own: packing loses nothing, and a packed key compares with packed values under packed masks.
#pragma once

#include <span>
#include <vector>

#include "engine/base/types.hpp"
#include "engine/flow/key.hpp"

namespace turnout::classify {

inline constexpr unsigned kMaxWords = kKeyWords;

// Word w of packet i of a burst is at [w][i].
using PackedBurst = uint64_t[kMaxWords][kBurst];

class Layout {
public:
    explicit Layout(const FlowKey& reads);  // rounded up to whole bytes

    unsigned words() const { return words_; }
    // Whether the bits of `mask` all have a place.
    bool holds(const FlowKey& mask) const;
    const FlowKey& covers() const { return covers_; }

    void pack(const FlowKey& key, uint64_t* packed) const;
    FlowKey unpack(const uint64_t* packed) const;
    void pack(std::span<const FlowKey* const> keys, PackedBurst& packed) const;

private:
    struct Step {
        uint8_t from, to;   // word of the key, of the packed key
        uint8_t turn;       // bits to the left
        uint64_t mask = 0;  // before turning
    };
    FlowKey covers_{};
    std::vector<Step> steps_;  // by `to`
    unsigned words_ = 0;
};

// The bytes in which `mask` has a bit.
FlowKey whole_bytes(const FlowKey& mask);
// The bits of both, or of either.
FlowKey bits_of_both(const FlowKey& a, const FlowKey& b);
FlowKey bits_of_either(const FlowKey& a, const FlowKey& b);
// Whether `wide` has all bits of `narrow`.
bool has_bits(const FlowKey& wide, const FlowKey& narrow);

// Which layout suits most tables: what IPv4, Ethernet and IPv6 rules tend to read. In this order.
std::span<const FlowKey> common_reads();

}  // namespace turnout::classify
