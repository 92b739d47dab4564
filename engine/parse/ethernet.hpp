// SPDX-License-Identifier: Apache-2.0
// Ethernet, VLAN tags, SNAP: the L2 words of a key. Inline, for it is all that a learning switch wants of a packet.
// In: the head of a frame. Out: `eth`, and `layers` (l3 only), both written whole. Any thread.
#pragma once

#include <cstring>
#include <span>

#include "engine/base/types.hpp"
#include "engine/flow/key.hpp"
#include "engine/parse/cursor.hpp"
#include "engine/parse/parse.hpp"

namespace turnout {

constexpr bool is_vlan_tpid(Be16 type) { return type == Be16::of(0x8100) || type == Be16::of(0x88a8); }

// The type of a frame whose type field is a length: SNAP's with OUI 0, which is then passed over, or kEthTypeNone.
inline Be16 snap_type(Cursor& in) {
    static constexpr uint8_t kSnap[6] = {0xaa, 0xaa, 0x03, 0, 0, 0};  // DSAP, SSAP, UI, OUI

    if (!in.has(8) || std::memcmp(in.at, kSnap, sizeof kSnap) != 0) return kEthTypeNone;
    const Be16 type = load<Be16>(in.at + 6);
    in.at += 8;
    return type.host() >= 0x0600 ? type : kEthTypeNone;
}

inline void parse_ethernet(std::span<const uint8_t> head, Ethernet& eth, Layers& layers) noexcept {
    layers = {};
    if (head.size() < kEtherHeader) [[unlikely]] {
        eth = {};
        return;
    }
    Cursor in{head.data() + 12, head.data() + head.size()};
    std::memcpy(&eth, head.data(), 12);
    std::memset(eth.vlan, 0, sizeof eth.vlan);
    eth.reserved = 0;

    Be16 type = load<Be16>(in.at);
    for (VlanTag& tag : eth.vlan) {
        if (!is_vlan_tpid(type) || !in.has(6)) [[likely]]
            break;
        tag = {type, {static_cast<uint16_t>(load<Be16>(in.at + 2).raw | kVlanPresent.raw)}};
        in.at += 4;
        type = load<Be16>(in.at);
    }
    in.at += 2;
    if (type.host() < 0x0600) [[unlikely]]
        type = snap_type(in);
    eth.type = type;
    layers.l3 = static_cast<uint16_t>(in.at - head.data());
}

}  // namespace turnout
