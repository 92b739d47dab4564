// SPDX-License-Identifier: Apache-2.0
// A verdict: what is to become of a packet. Small enough to sit in a cache entry.
#pragma once

#include "engine/base/drop.hpp"
#include "engine/base/types.hpp"

namespace turnout {

struct Verdict {
    static constexpr uint16_t kFlood = 0xfffe;
    static constexpr uint16_t kDrop = 0xf000;  // + reason

    uint16_t to = kFlood;  // a PortNo, kFlood, or kDrop + reason
    uint16_t vlan = 0;     // the VLAN that the packet is in

    static Verdict output(PortNo port, uint16_t vlan) { return {port, vlan}; }
    static Verdict flood(uint16_t vlan) { return {kFlood, vlan}; }
    static Verdict drop(Drop reason) { return {static_cast<uint16_t>(kDrop + static_cast<unsigned>(reason)), 0}; }

    bool is_output() const { return to < kMaxPorts; }
    bool is_flood() const { return to == kFlood; }
    bool operator==(const Verdict&) const = default;
    Drop reason() const { return static_cast<Drop>(to - kDrop); }
};

}  // namespace turnout
