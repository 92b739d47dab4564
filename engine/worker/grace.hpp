// SPDX-License-Identifier: Apache-2.0
// The reclaimer of a running datapath: frees what workers can no longer see, a batch a grace period (rte_rcu_qsbr).
// Control's thread only; no call but drain() waits.
#pragma once

#include <rte_rcu_qsbr.h>

#include <deque>
#include <vector>

#include "engine/base/reclaim.hpp"

namespace turnout {

class Grace : public Reclaimer {
public:
    explicit Grace(rte_rcu_qsbr* qsbr) : qsbr_(qsbr) {}

    void later(void* what, void (*free)(void*)) override;
    using Reclaimer::later;
    // Frees what can be freed by now.
    void poll();
    // Waits until nothing is left, what was handed over meanwhile included.
    void drain();

private:
    struct Garbage {
        void* what;
        void (*free)(void*);
    };
    struct Batch {
        uint64_t token;
        std::vector<Garbage> items;
    };
    static constexpr size_t kBatch = 256;

    void close_batch();

    rte_rcu_qsbr* qsbr_;
    std::vector<Garbage> open_;  // no token yet
    std::deque<Batch> waiting_;
};

}  // namespace turnout
