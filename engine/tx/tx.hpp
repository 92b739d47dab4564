// SPDX-License-Identifier: Apache-2.0
// tx: packets for a port are gathered, and sent a burst at a time.
//
// In:  packets with their output port. Out: bursts on devices; packets for a patch port wait until the worker
// takes them back in at its peer. Each worker has its own Tx. A packet that can't be sent is freed and counted by
// reason.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "engine/base/counters.hpp"
#include "engine/worker/plan.hpp"

struct rte_mbuf;

namespace turnout {

class Tx {
public:
    explicit Tx(unsigned worker) : worker_(worker), counters_(kMaxPorts), buffers_(kMaxPorts) {}

    // Takes the packets.
    void push(const Plan& plan, PortNo port, std::span<rte_mbuf* const> packets);
    // Sends all that is gathered for devices.
    void flush(const Plan& plan);
    // A patch port whose packets wait: empties it and returns its peer, which they enter next; kNoPort: none is left.
    // What is pushed until the next call counts as one patch port further.
    PortNo take_patched(const Plan& plan, std::array<rte_mbuf*, kBurst>& packets, unsigned& n);

    void drop(PortNo port, Drop reason, rte_mbuf* packet);
    PortCounters& counters(PortNo port) { return counters_[port]; }
    const PortCounters& counters(PortNo port) const { return counters_[port]; }

private:
    struct Buffer {
        uint16_t n = 0;
        uint8_t hops = 0;    // patch ports that its packets went through, at the most
        bool waits = false;  // is on the waiting list
        std::array<rte_mbuf*, kBurst> packets;
    };

    void send(const PortView& view, PortNo port);
    void send_in_software(const PortView& view, PortNo port, rte_mbuf* packet);
    void transmit(const PortView& view, PortNo port, std::span<rte_mbuf*> packets, uint64_t bytes);

    unsigned worker_;
    std::vector<PortCounters> counters_;
    std::vector<Buffer> buffers_;
    std::array<PortNo, kMaxPorts> waiting_;
    unsigned waiting_n_ = 0;
    uint8_t hops_ = 0;
};

}  // namespace turnout
