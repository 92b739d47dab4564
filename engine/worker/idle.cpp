// SPDX-License-Identifier: Apache-2.0
// How a worker sleeps.
//
// It asks each of its queues' peers for a signal (arm), looks once more for packets that came before the peer knew, and
// waits for any of those signals or for control. Devices that can't signal (AF_PACKET, AF_XDP, pcap, …) are looked at
// on a timer instead: every 50 us at first, then less and less often, down to once a millisecond.
#include <poll.h>
#include <rte_cycles.h>
#include <sys/eventfd.h>

#include <vector>

#include "engine/worker/worker.hpp"

namespace turnout {
namespace {

constexpr long kMicrosecond = 1000;  // ns
constexpr long kNapFirst = 50 * kMicrosecond, kNapMost = 1000 * kMicrosecond;
constexpr long kNoTimer = 100'000 * kMicrosecond;  // nobody needs it; a bound should a signal ever be lost

}  // namespace

void Worker::sleep(const Plan& plan) {
    std::vector<pollfd> signals{{wake_fd_, POLLIN, 0}};
    bool timed = false;
    for (const RxQueue& queue : plan.queues[index_]) {
        const int fd = queue.device->arm(queue.queue);
        if (fd >= 0) signals.push_back({fd, POLLIN, 0});
        timed = timed || fd == Device::kNoSignal;
    }
    if (poll(plan) > 0) {
        naps_ = 0;
    } else {
        const long nap = timed ? std::min(kNapMost, kNapFirst << std::min(naps_, 5u)) : kNoTimer;
        const timespec limit{0, nap};
        sleep_turn_.fetch_add(1, std::memory_order_release);
        rte_rcu_qsbr_thread_offline(shared_.qsbr, index_);
        ppoll(signals.data(), signals.size(), &limit, nullptr);
        rte_rcu_qsbr_thread_online(shared_.qsbr, index_);
        sleep_turn_.fetch_add(1, std::memory_order_release);
        now_ = rte_rdtsc();
        naps_++;
        load_.sleeps.add(1);
        if (signals[0].revents) {
            eventfd_t ignored;
            eventfd_read(wake_fd_, &ignored);
        }
    }
    // The plan may be another one by now: what left it needs no disarming.
    for (const RxQueue& queue : shared_.plan.load(std::memory_order_acquire)->queues[index_])
        queue.device->disarm(queue.queue);
}

}  // namespace turnout
