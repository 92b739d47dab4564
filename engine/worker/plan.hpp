// SPDX-License-Identifier: Apache-2.0
// The plan: all that workers know of bridges, ports and queues. Control builds a new one for every change and publishes
// it with one pointer store; a plan is never altered once workers can see it.
#pragma once

#include <memory>
#include <vector>

#include "engine/base/types.hpp"
#include "engine/base/vlan.hpp"
#include "engine/fdb/fdb.hpp"

namespace turnout {

class Device;

struct PortView {
    Device* device = nullptr;  // null: a patch port, or no port at all
    PortNo peer = kNoPort;     // of a patch port
    BridgeNo bridge = 0;
    PortVlans vlans;
    uint32_t longest = 0;      // frame the port may send: MTU, header, one VLAN tag; no FCS [bytes]
    bool shared_txqs = false;  // fewer tx queues than workers
    bool exists = false;
};

struct BridgeView {
    Fdb* fdb = nullptr;
    std::vector<PortNo> ports;
};

struct RxQueue {
    Device* device;
    PortNo port;
    uint16_t queue;

    bool operator==(const RxQueue&) const = default;
};

struct Plan {
    uint32_t epoch = 0;  // one more for each plan
    std::vector<PortView> ports = std::vector<PortView>(kMaxPorts);
    std::vector<BridgeView> bridges = std::vector<BridgeView>(kMaxBridges);
    std::vector<std::vector<RxQueue>> queues;  // by worker
    std::vector<std::unique_ptr<VlanSet>> vlan_sets;
    // What the views point to lives as long as the plan.
    std::vector<std::shared_ptr<Device>> devices;
    std::vector<std::shared_ptr<Fdb>> fdbs;
};

}  // namespace turnout
