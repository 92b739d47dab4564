// SPDX-License-Identifier: Apache-2.0
// Tallies: packets, bytes and time of last use for anything that has an id (flows, buckets, meters, tables). Each
// worker has cells of its own; control sums them. Control makes room for an id before a worker can meet it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "engine/base/counters.hpp"

namespace turnout {

using TallyId = uint32_t;

// One worker's cells.
class Tallies {
public:
    struct Cell {
        Counter packets, bytes;
        std::atomic<uint32_t> used{0};  // the worker's second

        void add(uint64_t n, uint64_t octets, uint32_t second) {
            packets.add(n);
            bytes.add(octets);
            used.store(second, std::memory_order_relaxed);
        }
    };
    static constexpr unsigned kChunk = 1 << 14, kChunks = 1 << 12;

    ~Tallies() {
        for (auto& chunk : chunks_) delete[] chunk.load(std::memory_order_relaxed);
    }
    // Control: before `id` is published.
    void make_room(TallyId id) {
        auto& chunk = chunks_[id / kChunk];
        if (!chunk.load(std::memory_order_relaxed)) chunk.store(new Cell[kChunk], std::memory_order_release);
    }
    Cell& at(TallyId id) { return chunks_[id / kChunk].load(std::memory_order_relaxed)[id % kChunk]; }
    const Cell& at(TallyId id) const { return const_cast<Tallies*>(this)->at(id); }
    void prefetch(TallyId id) { __builtin_prefetch(&at(id), 1); }

private:
    std::array<std::atomic<Cell*>, kChunks> chunks_{};
};

}  // namespace turnout
