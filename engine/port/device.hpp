// SPDX-License-Identifier: Apache-2.0
// A device: what a port sends to and receives from. Control creates and destroys it, workers rx and tx bursts on it.
//
// There are two kinds: EthDevice, any ethdev of DPDK's (ethdev.hpp), and TapDevice, a kernel TAP (tap.hpp).
// What happens at the far end (a guest connects, enables queues, dies) is kept in atomics, which workers read once a
// burst.
#pragma once

#include <rte_spinlock.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>

#include "engine/base/counters.hpp"
#include "engine/base/drop.hpp"
#include "engine/base/types.hpp"

struct rte_mbuf;

namespace turnout {

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

    virtual ~Device() = default;
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    virtual DeviceInfo info() const = 0;
    // Whether a kernel interface goes when this does; after keep() it stays, with its addresses and routes.
    virtual bool owned() const { return false; }
    virtual void keep() {}
    uint16_t rxqs() const { return rxqs_; }
    uint16_t mtu() const { return mtu_; }
    // Whether several of `workers` may be sent to the same tx queue.
    bool shares_txqs(size_t workers) const { return txqs_come_and_go_ ? workers > 1 : txqs_ < workers; }

    // For workers; an rx queue has one worker at a time.
    virtual uint16_t rx(uint16_t queue, std::span<rte_mbuf*> room) = 0;
    // Takes the first packets. If it took fewer than all: Drop::Refused for the next one alone, any other reason for
    // the rest.
    struct Sent {
        uint16_t n;
        Drop refused;
    };
    virtual Sent tx(uint16_t queue, std::span<rte_mbuf*> packets) = 0;
    bool up() const { return up_.load(std::memory_order_relaxed); }
    uint64_t tx_offloads() const { return tx_offloads_.load(std::memory_order_relaxed); }  // RTE_ETH_TX_OFFLOAD_*
    uint16_t txq(unsigned worker) const {
        const uint16_t n = txqs_active_.load(std::memory_order_relaxed);
        return n ? active_[worker % n].load(std::memory_order_relaxed) : 0;
    }
    rte_spinlock_t* tx_lock(uint16_t queue) { return &tx_locks_[queue]; }

    // Sleeping on an rx queue. `arm` asks the far end for signals and returns the descriptor that becomes readable
    // then; or kNoSignal: this device must be polled; or kNoPeer: nobody is there to send. `disarm` asks it to stop.
    static constexpr int kNoSignal = -1, kNoPeer = -2;
    virtual int arm(uint16_t queue) = 0;
    virtual void disarm(uint16_t queue) = 0;

    struct Load {
        Counter packets, cycles;
    };
    void note_load(uint16_t queue, uint64_t packets, uint64_t cycles) {
        loads_[queue].packets.add(packets);
        loads_[queue].cycles.add(cycles);
    }
    const Load& load(uint16_t queue) const { return loads_[queue]; }

protected:
    // Throws Error unless the numbers of queues are possible.
    Device(const std::string& name, uint16_t rxqs, uint16_t txqs, uint16_t mtu);

    void use_txqs(std::span<const bool> enabled);

    const std::string name_;
    const uint16_t rxqs_, mtu_;
    uint16_t txqs_;
    bool txqs_come_and_go_ = false;  // the far end enables and disables tx queues at will
    std::atomic<bool> up_{false};
    std::atomic<uint64_t> tx_offloads_{0};

private:
    std::atomic<uint16_t> txqs_active_{0};
    std::array<std::atomic<uint16_t>, kMaxQueues> active_{};
    std::array<rte_spinlock_t, kMaxQueues> tx_locks_{};
    std::array<Load, kMaxQueues> loads_;  // of rx queues; each written by the worker that polls it
};

}  // namespace turnout
