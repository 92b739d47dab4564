// SPDX-License-Identifier: Apache-2.0
// The plan: all that workers know of bridges, ports and queues. Control builds a new one for every change and publishes
// it with one pointer store; a plan is never altered once workers can see it.
#pragma once

#include <memory>
#include <vector>

#include "engine/base/types.hpp"
#include "engine/base/vlan.hpp"
#include "engine/fdb/fdb.hpp"
#include "engine/port/device.hpp"

namespace turnout {

namespace of {
struct Pipeline;
class Tables;
}  // namespace of

constexpr uint32_t kLocalPort = 0xfffffffe;  // OFPP_LOCAL
constexpr uint32_t kMaxOfPort = 0xfeff;      // the last that OpenFlow 1.0 can name, as Open vSwitch has it

// PortView::config: OFPPC_* of OpenFlow 1.0 and 1.3 together.
enum : uint32_t {
    kPortDown = 1 << 0,
    kNoRecv = 1 << 2,
    kNoFlood = 1 << 4,
    kNoFwd = 1 << 5,
    kNoPacketIn = 1 << 6,
};

struct PortView {
    Device* device = nullptr;  // null: a patch port, or no port at all
    PortNo peer = kNoPort;     // of a patch port
    BridgeNo bridge = 0;
    PortVlans vlans;
    uint32_t longest = 0;      // frame the port may send: MTU, header, one VLAN tag; no FCS [bytes]
    bool shared_txqs = false;  // fewer tx queues than workers
    bool exists = false;
    uint32_t ofport = 0;  // its OpenFlow number; the bridge's LOCAL port: 0xfffffffe
    uint32_t config = 0;  // OFPPC_* bits, those of OpenFlow 1.0 too

    // Whether what is sent here can arrive anywhere.
    bool up() const { return exists && !(config & kPortDown) && (!device || device->up()); }
};

struct BridgeView {
    Fdb* fdb = nullptr;
    of::Pipeline* pipeline = nullptr;
    std::vector<PortNo> ports;
    std::vector<PortNo> by_ofport;  // kNoPort where there is none
    PortNo local = kNoPort;
    bool plain = true;  // no port has config bits

    PortNo port_of(uint32_t ofport) const {
        if (ofport < by_ofport.size()) return by_ofport[ofport];
        return ofport == kLocalPort ? local : kNoPort;
    }
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
    // By bridge number; null where there is no bridge.
    std::vector<std::shared_ptr<of::Tables>> tables = std::vector<std::shared_ptr<of::Tables>>(kMaxBridges);
};

}  // namespace turnout
