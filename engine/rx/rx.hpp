// SPDX-License-Identifier: Apache-2.0
// rx: one burst from one rx queue. Runs on the worker that the queue is assigned to.
#pragma once

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include <array>
#include <span>

#include "engine/port/device.hpp"
#include "engine/worker/plan.hpp"

namespace turnout {

using Burst = std::array<rte_mbuf*, kBurst>;

inline std::span<rte_mbuf*> rx(const RxQueue& queue, Burst& burst) {
    const uint16_t n = queue.device->rx(queue.queue, burst);
    for (uint16_t i = 0; i < n; i++) rte_prefetch0(rte_pktmbuf_mtod(burst[i], void*));
    return {burst.data(), n};
}

}  // namespace turnout
