// SPDX-License-Identifier: Apache-2.0
// An ethdev of DPDK's, hot-plugged from its devargs: vhost-user, AF_PACKET, AF_XDP, memif, pcap, a PCI NIC, anything.
#pragma once

#include <functional>
#include <mutex>

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
    Sent tx(uint16_t queue, std::span<rte_mbuf*> packets) override;
    int arm(uint16_t queue) override;
    void disarm(uint16_t queue) override;

    // Called by DPDK.
    void link_changed();
    void queues_changed();

private:
    void probe(const std::string& devargs);
    void configure(const EthConfig& config, rte_mempool* pool);
    void set_up_queues(const EthConfig& config, rte_mempool* pool);
    void start();
    int notify(uint16_t queue, bool on);
    void wait_for_notify() const;
    void close();

    std::function<void()> changed_;
    uint16_t id_ = kNoDevice;
    std::string driver_;
    bool is_vhost_ = false, rx_interrupts_ = false, started_ = false;
    const bool connects_;   // vhost-user: the guest owns the socket
    std::mutex link_lock_;  // link_changed() comes from several threads; never from a worker
    bool awaits_guest_ = false;
    bool tells_link_ = false;                 // the driver reports when the far end comes and goes
    std::atomic<int> at_ring_{0};             // workers that write to the guest's rings just now, in notify()
    std::array<bool, kMaxQueues> enabled_{};  // vhost tx queues; written by DPDK's vhost thread alone
};

}  // namespace turnout
