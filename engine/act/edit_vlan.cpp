// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "engine/act/edit.hpp"

namespace turnout {
namespace {

constexpr uint32_t kTagAt = 12;  // behind the MAC addresses

void shift(Layers& layers, int by) {
    for (uint16_t* offset : {&layers.l2_5, &layers.l3, &layers.l4})
        if (*offset != Layers::kNone) *offset = static_cast<uint16_t>(*offset + by);
}

}  // namespace

bool push_vlan(Packet& packet, Be16 tpid) {
    Ethernet& eth = packet.key.eth;
    const Be16 tci{static_cast<uint16_t>(eth.vlan[0].tci.raw & ~kVlanPresent.raw)};
    if (!insert(packet, kTagAt, 4)) return false;
    std::memcpy(packet.bytes() + kTagAt, &tpid, 2);
    std::memcpy(packet.bytes() + kTagAt + 2, &tci, 2);
    packet.stale = packet.stale || eth.vlan[1].tci != Be16{};  // a third tag is not parsed
    eth.vlan[1] = eth.vlan[0];
    eth.vlan[0] = {tpid, {static_cast<uint16_t>(tci.raw | kVlanPresent.raw)}};
    shift(packet.layers, 4);
    return true;
}

bool pop_vlan(Packet& packet) {
    Ethernet& eth = packet.key.eth;
    if (eth.vlan[0].tci == Be16{}) return true;
    if (!remove(packet, kTagAt, 4)) return false;
    packet.stale = packet.stale || eth.vlan[1].tci != Be16{};  // what follows may be one more
    eth.vlan[0] = eth.vlan[1];
    eth.vlan[1] = {};
    shift(packet.layers, -4);
    return true;
}

}  // namespace turnout
