// SPDX-License-Identifier: Apache-2.0
// A device: one DPDK ethdev, hot-plugged from its devargs. Control creates and destroys it; workers only rx and tx on
// it.
//
// What a guest does to its end (connects, enables queues, dies) arrives on DPDK's own threads and is kept in atomics,
// which workers read once a burst.
#pragma once

#include <rte_spinlock.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "engine/base/counters.hpp"
#include "engine/base/types.hpp"

struct rte_mempool;

namespace turnout {

struct DeviceConfig {
    std::string devargs;
    uint16_t rxqs = 1, txqs = 1;
    uint16_t rx_desc = 1024, tx_desc = 1024;
    uint16_t mtu = 1500;
    std::string netns;  // name of the network namespace in which kernel interfaces are opened; "": our own
};

struct DeviceInfo {
    std::string driver;
    std::string mac;
    bool link_up;
    uint32_t speed_mbps;
    uint16_t mtu, rxqs, txqs;
};

class Device {
public:
    static constexpr unsigned kMaxQueues = 64;

    // Throws Error, and then leaves nothing behind. `changed` is called, on any thread, when the peer's state changed.
    Device(const DeviceConfig& config, rte_mempool* pool, std::function<void()> changed);
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    uint16_t id() const { return id_; }
    uint16_t rxqs() const { return rxqs_; }
    uint16_t txqs() const { return txqs_; }
    // Whether the peer enables and disables tx queues at will, so that two workers may be sent to one of them.
    bool txqs_come_and_go() const { return is_vhost_; }
    DeviceInfo info() const;

    // For workers.
    bool up() const { return up_.load(std::memory_order_relaxed); }
    uint64_t tx_offloads() const { return tx_offloads_.load(std::memory_order_relaxed); }
    uint16_t mtu() const { return mtu_; }
    // The tx queue for worker `worker`; only queues that the peer enabled are used.
    uint16_t txq(unsigned worker) const {
        const uint16_t n = txqs_active_.load(std::memory_order_relaxed);
        return n ? active_[worker % n].load(std::memory_order_relaxed) : 0;
    }
    rte_spinlock_t* tx_lock(uint16_t queue) { return &tx_locks_[queue]; }
    struct Load {
        Counter packets, cycles;
    };
    void note_load(uint16_t queue, uint64_t packets, uint64_t cycles) {
        loads_[queue].packets.add(packets);
        loads_[queue].cycles.add(cycles);
    }
    const Load& load(uint16_t queue) const { return loads_[queue]; }

    // Sleeping on an rx queue. `arm` asks the peer for signals and returns the descriptor that becomes readable then;
    // or kNoSignal: this device must be polled; or kNoPeer: nobody is there to send. `disarm` asks the peer to stop.
    static constexpr int kNoSignal = -1, kNoPeer = -2;
    int arm(uint16_t queue);
    void disarm(uint16_t queue);

    // Called by DPDK.
    void link_changed();
    void queues_changed();

private:
    void probe();
    void configure(const DeviceConfig& config, rte_mempool* pool);
    void set_persistent(bool on);
    void close();

    std::string name_;
    std::function<void()> changed_;
    uint16_t id_ = kNoDevice;
    uint16_t rxqs_, txqs_, mtu_;
    bool is_vhost_ = false, is_tap_ = false, rx_interrupts_ = false, started_ = false;
    std::string devargs_, driver_, netns_;
    std::atomic<bool> up_{false};
    std::atomic<uint64_t> tx_offloads_{0};
    std::atomic<uint16_t> txqs_active_{0};
    std::array<std::atomic<uint16_t>, kMaxQueues> active_{};
    std::array<rte_spinlock_t, kMaxQueues> tx_locks_{};
    std::array<Load, kMaxQueues> loads_;      // of rx queues; each written by the worker that polls it
    std::array<bool, kMaxQueues> enabled_{};  // vhost tx queues; written by DPDK's thread alone
};

}  // namespace turnout
