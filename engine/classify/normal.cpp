// SPDX-License-Identifier: Apache-2.0
#include "engine/classify/normal.hpp"

#include <array>

namespace turnout {
namespace {

constexpr uint64_t kGroupBit = 1;  // of a MAC address's first byte

// 01:80:c2:00:00:00 to :0f (802.1Q-2018, table 8-1), as a little-endian load gives them.
bool reserved(uint64_t mac) { return (mac & 0xf0ff'ffff'ffff) == 0x0000'00c2'8001; }

}  // namespace

void normal(const BridgeView& bridge, const PortView& in, PortNo in_port, uint32_t now, std::span<const L2Key> keys,
            std::span<Verdict> verdicts) {
    struct Lookup {
        uint64_t src, src_hash, dst, dst_hash;
    };
    std::array<Lookup, kBurst> lookups;
    Fdb& fdb = *bridge.fdb;

    // All lines that the burst needs are asked for before the first is used.
    for (size_t i = 0; i < keys.size(); i++) {
        uint16_t vlan;
        if (!in.vlans.admit(keys[i].vid, vlan)) {
            verdicts[i] = Verdict::drop(Drop::VlanNotAllowed);
            continue;
        }
        Lookup& l = lookups[i];
        l.src = Fdb::key(keys[i].src, vlan);
        l.dst = Fdb::key(keys[i].dst, vlan);
        l.src_hash = fdb.hash(l.src);
        l.dst_hash = fdb.hash(l.dst);
        fdb.prefetch(l.src_hash);
        fdb.prefetch(l.dst_hash);
        verdicts[i] = reserved(keys[i].dst) ? Verdict::drop(Drop::ReservedMulticast) : Verdict::flood(vlan);
    }

    for (size_t i = 0; i < keys.size(); i++) {
        if (!verdicts[i].is_flood()) continue;
        const Lookup& l = lookups[i];
        if (!(keys[i].src & kGroupBit)) fdb.learn(l.src, l.src_hash, in_port, now);
        if (keys[i].dst & kGroupBit) continue;
        const PortNo out = fdb.find(l.dst, l.dst_hash, now);
        if (out == kNoPort) continue;
        verdicts[i] = out == in_port ? Verdict::drop(Drop::SamePort) : Verdict::output(out, verdicts[i].vlan);
    }
}

}  // namespace turnout
