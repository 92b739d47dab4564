// SPDX-License-Identifier: Apache-2.0
// Tallies: packets, bytes and time of last use for anything that has an id (flows, buckets, meters, tables). Each
// worker has cells of its own; control sums them.
#pragma once

#include <atomic>
#include <cstdint>

#include "engine/base/counters.hpp"
#include "engine/base/reserved.hpp"

namespace turnout {

using TallyId = uint32_t;

// One worker's cells.
class Tallies {
public:
    struct alignas(32) Cell {  // never across two cache lines
        Counter packets, bytes;
        std::atomic<uint32_t> used{0};  // the worker's second

        void add(uint64_t n, uint64_t octets, uint32_t second) {
            packets.add(n);
            bytes.add(octets);
            used.store(second, std::memory_order_relaxed);
        }
    };
    static constexpr size_t kMost = 1 << 26;

    Cell& at(TallyId id) { return cells_[id]; }
    const Cell& at(TallyId id) const { return cells_[id]; }
    void prefetch(TallyId id) { __builtin_prefetch(&at(id), 1); }

private:
    Reserved<Cell> cells_{kMost};
};

}  // namespace turnout
