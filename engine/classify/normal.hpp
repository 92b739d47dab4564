// SPDX-License-Identifier: Apache-2.0
// NORMAL: what a learning switch does with a packet (IEEE 802.1Q, and Open vSwitch's action of that name).
//
// In:  a burst's L2 fields, the port they came in by. Out: a verdict each; source addresses learned.
// Runs on a worker; shares the bridge's Fdb with the other workers.
#pragma once

#include <cstring>
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

inline uint64_t mac_word(const MacAddr& mac) {
    uint64_t word = 0;
    std::memcpy(&word, mac.octets, sizeof mac.octets);
    return word;
}

void normal(const BridgeView& bridge, const PortView& in, PortNo in_port, uint32_t now, std::span<const L2Key> keys,
            std::span<Verdict> verdicts);

}  // namespace turnout
