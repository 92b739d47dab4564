// SPDX-License-Identifier: Apache-2.0
// Counters: each worker writes its own, control sums them when somebody asks. No atomics read-modify-write, no sharing.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "engine/base/drop.hpp"
#include "engine/base/types.hpp"

namespace turnout {

// One writer, any readers; compiles to plain loads and stores.
class Counter {
public:
    void add(uint64_t n) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
    uint64_t get() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<uint64_t> value_{0};
};

struct alignas(64) PortCounters {
    Counter rx_packets, rx_bytes, tx_packets, tx_bytes;
    std::array<Counter, kDropReasons> drops;

    void drop(Drop reason, uint64_t n = 1) { drops[static_cast<unsigned>(reason)].add(n); }
};

}  // namespace turnout
