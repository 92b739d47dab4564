// SPDX-License-Identifier: Apache-2.0
#include "engine/classify/normal.hpp"

namespace turnout {
namespace {

// The group bit of a MAC address's first byte.
bool group(uint64_t key) { return key & 1; }

// 01:80:c2:00:00:00 to :0f (802.1Q-2018, table 8-1), as a little-endian load gives them.
bool reserved(uint64_t key) { return (key & 0xf0ff'ffff'ffff) == 0x0000'00c2'8001; }

}  // namespace

void normal(Fdb& fdb, PortNo in_port, uint32_t now, std::span<const L2Lookup> lookups, std::span<Verdict> verdicts) {
    uint64_t last_dst = 0;  // packets that follow each other often go to the same station
    PortNo last_out = kNoPort;
    for (size_t i = 0; i < lookups.size(); i++) {
        const L2Lookup& l = lookups[i];
        if (!l.admitted) [[unlikely]] {
            verdicts[i] = Verdict::drop(Drop::VlanNotAllowed);
            continue;
        }
        if (reserved(l.dst)) [[unlikely]] {
            verdicts[i] = Verdict::drop(Drop::ReservedMulticast);
            continue;
        }
        if (!group(l.src)) fdb.learn(l.src, l.src_hash, in_port, now);
        if (l.dst != last_dst) {
            last_dst = l.dst;
            last_out = group(l.dst) ? kNoPort : fdb.find(l.dst, l.dst_hash, now);
        }
        verdicts[i] = last_out == kNoPort   ? Verdict::flood(l.vlan)
                      : last_out == in_port ? Verdict::drop(Drop::SamePort)
                                            : Verdict::output(last_out, l.vlan);
    }
}

}  // namespace turnout
