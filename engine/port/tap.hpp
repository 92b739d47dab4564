// SPDX-License-Identifier: Apache-2.0
// A kernel TAP. Not DPDK's net_tap: that driver takes no frame over 1,522 bytes, has the kernel cut and checksum every
// segment, and is told of each packet by a signal to the process. Here the kernel hands over what its stack has
// (checksums and segmentation left to do are described by a virtio-net header, as a guest does it), so that TCP between
// a namespace and a guest, or two namespaces, moves 64 KiB at a time.
#pragma once

#include <vector>

#include "engine/port/device.hpp"

struct rte_mempool;

namespace turnout {

struct TapConfig {
    std::string iface;  // name; created, or attached to if it is there
    std::string mac;    // of the kernel's side: aa:bb:cc:dd:ee:ff; "": the kernel's choice
    uint16_t queues = 1;
    uint16_t mtu = 1500;
    std::string netns;       // name of the namespace that it is in; "": our own
    bool one_queue = false;  // of the kind that has one, and that Open vSwitch can open as well
    bool owned = false;      // ours to take away at the end, though it may be there already
};

class TapDevice final : public Device {
public:
    // Throws Error, and then leaves nothing behind.
    TapDevice(const TapConfig& config, rte_mempool* pool);
    ~TapDevice() override;

    DeviceInfo info() const override;
    uint16_t rx(uint16_t queue, std::span<rte_mbuf*> room) override;
    Sent tx(uint16_t queue, std::span<rte_mbuf*> packets) override;
    int arm(uint16_t queue) override;
    void disarm(uint16_t) override {}
    bool owned() const override { return ours_; }
    void keep() override { ours_ = false; }

private:
    // Buffers for the next frame, 64 KiB in all; those that a frame filled are replaced.
    struct Room {
        std::vector<rte_mbuf*> buffers;
        int fd = -1;
        bool gone = false;  // somebody deleted the interface
    };

    void open_queue(const TapConfig& config, Room& room);
    void set_up(const TapConfig& config);
    void close();
    bool refill(Room& room);
    rte_mbuf* read_frame(Room& room);

    rte_mempool* pool_;
    std::vector<Room> rooms_;
    std::string mac_;
    bool ours_ = false;  // made by us, now or before a crash: to be taken away at the end
};

}  // namespace turnout
