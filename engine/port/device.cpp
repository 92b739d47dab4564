// SPDX-License-Identifier: Apache-2.0
#include "engine/port/device.hpp"

#include <algorithm>

#include "engine/base/error.hpp"

namespace turnout {

Device::Device(const std::string& name, uint16_t rxqs, uint16_t txqs, uint16_t mtu)
    : name_(name), rxqs_(rxqs), mtu_(mtu), txqs_(txqs) {
    if (std::max(rxqs_, txqs_) > kMaxQueues || rxqs_ == 0 || txqs_ == 0)
        throw Error(name_ + ": queues must be 1 to " + std::to_string(kMaxQueues));
    for (auto& lock : tx_locks_) rte_spinlock_init(&lock);
}

void Device::use_txqs(std::span<const bool> enabled) {
    uint16_t n = 0;
    for (uint16_t q = 0; q < txqs_; q++)
        if (enabled[q]) active_[n++] = q;
    txqs_active_ = n;
}

}  // namespace turnout
