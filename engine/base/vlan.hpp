// SPDX-License-Identifier: Apache-2.0
// A port's part in VLANs, with Open vSwitch's names and meaning (ovs-vswitchd.conf.db(5), "VLAN Configuration").
//
// On the way in a packet is put into a VLAN or refused; on the way out its tag is kept, pushed, popped or rewritten.
// VLAN 0 means "untagged" on a trunk without a native VLAN.
#pragma once

#include <bitset>
#include <cstdint>

namespace turnout {

constexpr unsigned kVlans = 4096;
constexpr uint16_t kVidMask = 0x0fff;

using VlanSet = std::bitset<kVlans>;

enum class VlanMode : uint8_t { Access, Trunk, NativeTagged, NativeUntagged };

struct PortVlans {
    VlanMode mode = VlanMode::Trunk;
    uint16_t tag = 0;                  // the access or native VLAN
    const VlanSet* carried = nullptr;  // VLANs of a trunk, the native one included; null: all

    bool carries(uint16_t vid) const {
        if (mode == VlanMode::Access) return vid == tag;
        return !carried || carried->test(vid);
    }

    // The VLAN that a packet with outer tag `vid` (0: untagged or priority-tagged) enters here; false: refused.
    bool admit(uint16_t vid, uint16_t& vlan) const {
        if (mode == VlanMode::Access) {
            vlan = tag;
            return vid == 0;
        }
        vlan = vid == 0 && mode != VlanMode::Trunk ? tag : vid;
        return carries(vlan);
    }

    // Whether a packet of VLAN `vlan` leaves here with a tag.
    bool tagged(uint16_t vlan) const {
        if (mode == VlanMode::Access || vlan == 0) return false;
        return mode != VlanMode::NativeUntagged || vlan != tag;
    }
};

}  // namespace turnout
