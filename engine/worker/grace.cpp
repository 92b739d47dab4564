// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/grace.hpp"

#include <thread>
#include <utility>

namespace turnout {

void Grace::later(void* what, void (*free)(void*)) {
    open_.push_back({what, free});
    if (open_.size() >= kBatch) poll();
}

void Grace::close_batch() {
    if (open_.empty()) return;
    waiting_.push_back({rte_rcu_qsbr_start(qsbr_), std::exchange(open_, {})});
}

void Grace::poll() {
    close_batch();
    while (!waiting_.empty() && rte_rcu_qsbr_check(qsbr_, waiting_.front().token, false)) {
        const Batch batch = std::move(waiting_.front());
        waiting_.pop_front();
        for (const Garbage& garbage : batch.items) garbage.free(garbage.what);  // which may hand over more
    }
}

void Grace::drain() {
    for (poll(); !waiting_.empty() || !open_.empty(); poll()) std::this_thread::yield();
}

}  // namespace turnout
