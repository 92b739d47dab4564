// SPDX-License-Identifier: Apache-2.0
// NORMAL: what a learning switch does with a packet (IEEE 802.1Q, and Open vSwitch's action of that name).
//
// In:  a burst's L2 fields, the port they came in by. Out: a verdict each; source addresses learned.
// Runs on a worker; shares the bridge's Fdb with the other workers.
#pragma once

#include <span>

#include "engine/classify/verdict.hpp"
#include "engine/flow/key.hpp"
#include "engine/worker/plan.hpp"

namespace turnout {

// What NORMAL reads of a packet.
struct L2Key {
    uint64_t dst, src;  // MAC addresses as Fdb::key() takes them
    uint16_t vid;       // of the outer VLAN tag; 0: untagged or priority-tagged
};

// From the first bytes of a frame, at least an Ethernet header. Two plain loads: putting the key's MAC addresses
// together from its bytes would stall on their stores.
inline L2Key l2_key(const uint8_t* frame, uint16_t vid) {
    constexpr uint64_t kMac = 0xffff'ffff'ffff;
    return {load<uint64_t>(frame) & kMac, load<uint64_t>(frame + sizeof(MacAddr)) & kMac, vid};
}

void normal(const BridgeView& bridge, const PortView& in, PortNo in_port, uint32_t now, std::span<const L2Key> keys,
            std::span<Verdict> verdicts);

}  // namespace turnout
