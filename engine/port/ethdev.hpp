// SPDX-License-Identifier: Apache-2.0
// An ethdev of DPDK's, hot-plugged from its devargs: vhost-user, AF_PACKET, AF_XDP, memif, pcap, a PCI NIC, anything.
#pragma once

#include <functional>

#include "engine/port/device.hpp"

struct rte_mempool;

namespace turnout {

struct EthConfig {
    std::string devargs;
    uint16_t rxqs = 1, txqs = 1;
    uint16_t rx_desc = 1024, tx_desc = 1024;
    uint16_t mtu = 1500;
    std::string netns;  // name of the network namespace in which kernel interfaces are opened; "": our own
};

class EthDevice final : public Device {
public:
    // Throws Error, and then leaves nothing behind. `changed` is called, on any thread, when the far end's state
    // changed.
    EthDevice(const EthConfig& config, rte_mempool* pool, std::function<void()> changed);
    ~EthDevice() override;

    DeviceInfo info() const override;
    uint16_t rx(uint16_t queue, std::span<rte_mbuf*> room) override;
    uint16_t tx(uint16_t queue, std::span<rte_mbuf*> packets) override;
    int arm(uint16_t queue) override;
    void disarm(uint16_t queue) override;

    // Called by DPDK.
    void link_changed();
    void queues_changed();

private:
    void probe(const std::string& devargs);
    void configure(const EthConfig& config, rte_mempool* pool);
    int notify(uint16_t queue, bool on);
    void close();

    std::function<void()> changed_;
    uint16_t id_ = kNoDevice;
    std::string driver_;
    bool is_vhost_ = false, rx_interrupts_ = false, started_ = false;
    const bool connects_;  // vhost-user: the guest owns the socket
    std::atomic<bool> awaits_guest_{false};
    bool tells_link_ = false;  // the driver reports when the far end comes and goes
    // Held while a worker that is about to sleep, or woke, writes to a guest's ring. DPDK unmaps a guest's memory after
    // it has reported the link down, and guards rx and tx against that, but not these calls.
    rte_spinlock_t ring_lock_ = RTE_SPINLOCK_INITIALIZER;
    std::array<bool, kMaxQueues> enabled_{};  // vhost tx queues; written by DPDK's vhost thread alone
};

}  // namespace turnout
