// SPDX-License-Identifier: Apache-2.0
// Checksums that follow a change of what they cover, without looking at the rest (RFC 1624).
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "engine/base/checksum.hpp"

namespace turnout {

// The change of a ones' complement sum: what was added less what was taken away. Values as they lie in memory, an even
// number of bytes into what the checksum covers.
class SumChange {
public:
    bool any() const { return sum_ != 0; }
    void replace16(uint16_t before, uint16_t after) {
        if (before != after) sum_ += static_cast<uint16_t>(~before) + uint32_t{after};
    }
    void replace(const void* before, const void* after, size_t bytes) {  // an even number
        for (size_t i = 0; i < bytes; i += 2) {
            uint16_t b, a;
            std::memcpy(&b, static_cast<const uint8_t*>(before) + i, 2);
            std::memcpy(&a, static_cast<const uint8_t*>(after) + i, 2);
            replace16(b, a);
        }
    }
    void operator+=(const SumChange& other) { sum_ += other.sum_; }

    // Of a checksum field, which is the complement of the sum.
    void apply_to(uint8_t* field) const {
        uint16_t checksum;
        std::memcpy(&checksum, field, 2);
        checksum = static_cast<uint16_t>(~fold(static_cast<uint16_t>(~checksum) + uint32_t{folded()}));
        std::memcpy(field, &checksum, 2);
    }
    // Of a field that holds the sum itself, as a guest leaves it for hardware.
    void apply_to_sum(uint8_t* field) const {
        uint16_t sum;
        std::memcpy(&sum, field, 2);
        sum = fold(uint32_t{sum} + folded());
        std::memcpy(field, &sum, 2);
    }

private:
    uint16_t folded() const { return fold(sum_); }

    uint32_t sum_ = 0;  // of at most some hundred numbers
};

}  // namespace turnout
