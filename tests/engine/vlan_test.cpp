// SPDX-License-Identifier: Apache-2.0
// VLANs of a port, from ovs-vswitchd.conf.db(5), "VLAN Configuration".
#include "engine/base/vlan.hpp"

#include <doctest/doctest.h>

using namespace turnout;

namespace {

struct Case {
    const char* what;
    VlanMode mode;
    uint16_t tag;
    uint16_t vid;      // of the packet that comes in; 0: none
    int vlan;          // that it enters; -1: refused
    int leaves_plain;  // a VLAN that leaves this port untagged; -1: none does
};

const VlanSet kTrunks = [] {
    VlanSet set;
    for (const unsigned vlan : {10u, 20u, 30u}) set.set(vlan);
    return set;
}();

const Case kCases[] = {
    {"access: untagged enters the access VLAN", VlanMode::Access, 10, 0, 10, 10},
    {"access: tagged is refused, even with its own VLAN", VlanMode::Access, 10, 10, -1, 10},
    {"access: another VLAN is refused", VlanMode::Access, 10, 20, -1, 10},
    {"trunk: a VLAN of the trunk", VlanMode::Trunk, 0, 20, 20, -1},
    {"trunk: a VLAN that the trunk lacks", VlanMode::Trunk, 0, 40, -1, -1},
    {"trunk: untagged is VLAN 0, which these trunks lack", VlanMode::Trunk, 0, 0, -1, -1},
    {"native-tagged: untagged enters the native VLAN", VlanMode::NativeTagged, 30, 0, 30, -1},
    {"native-tagged: tagged natively", VlanMode::NativeTagged, 30, 30, 30, -1},
    {"native-untagged: untagged enters the native VLAN", VlanMode::NativeUntagged, 30, 0, 30, 30},
    {"native-untagged: tagged natively", VlanMode::NativeUntagged, 30, 30, 30, 30},
    {"native-untagged: another VLAN of the trunk", VlanMode::NativeUntagged, 30, 10, 10, 30},
    {"native-untagged: a VLAN that the trunk lacks", VlanMode::NativeUntagged, 30, 11, -1, 30},
};

}  // namespace

TEST_CASE("a packet enters the VLAN that its port says, or is refused") {
    for (const Case& c : kCases) {
        CAPTURE(c.what);
        const PortVlans port{c.mode, c.tag, &kTrunks};
        uint16_t vlan = 0;
        CHECK(port.admit(c.vid, vlan) == (c.vlan >= 0));
        if (c.vlan >= 0) CHECK(vlan == c.vlan);
        if (c.leaves_plain >= 0) CHECK_FALSE(port.tagged(static_cast<uint16_t>(c.leaves_plain)));
    }
}

TEST_CASE("a trunk without a list carries every VLAN, untagged packets as VLAN 0") {
    const PortVlans port;
    for (unsigned vid = 0; vid < kVlans; vid++) {
        uint16_t vlan = 0xffff;
        CHECK(port.admit(static_cast<uint16_t>(vid), vlan));
        CHECK(vlan == vid);
        CHECK(port.tagged(static_cast<uint16_t>(vid)) == (vid != 0));
    }
}

TEST_CASE("native-tagged sends its native VLAN tagged") {
    const PortVlans port{VlanMode::NativeTagged, 30, nullptr};
    CHECK(port.tagged(30));
    CHECK(port.tagged(31));
}
