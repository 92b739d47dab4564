// SPDX-License-Identifier: Apache-2.0
// A match: which flow keys a rule wants. A bit counts where the mask has a 1; the value is 0 where the mask is.
#pragma once

#include "engine/flow/key.hpp"

namespace turnout {

struct Match {
    FlowKey value{};
    FlowKey mask{};
};

inline void set_word(FlowKey& key, size_t i, uint64_t word) {
    std::memcpy(reinterpret_cast<uint8_t*>(&key) + i * sizeof word, &word, sizeof word);
}

inline bool operator==(const Match& a, const Match& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

// Whether a packet with this key is what the match wants.
inline bool matches(const Match& match, const FlowKey& key) {
    for (size_t i = 0; i < kKeyWords; i++)
        if ((word(key, i) & word(match.mask, i)) != word(match.value, i)) return false;
    return true;
}

// Whether every packet that `narrow` wants is one that `wide` wants (OpenFlow's non-strict matching).
inline bool covers(const Match& wide, const Match& narrow) {
    for (size_t i = 0; i < kKeyWords; i++) {
        const uint64_t mask = word(wide.mask, i);
        if ((word(narrow.mask, i) & mask) != mask || (word(narrow.value, i) & mask) != word(wide.value, i))
            return false;
    }
    return true;
}

// Whether some packet is wanted by both (OpenFlow's overlap check).
inline bool overlap(const Match& a, const Match& b) {
    for (size_t i = 0; i < kKeyWords; i++)
        if ((word(a.value, i) ^ word(b.value, i)) & word(a.mask, i) & word(b.mask, i)) return false;
    return true;
}

}  // namespace turnout
