// SPDX-License-Identifier: Apache-2.0
// NORMAL: what a learning switch does with a packet (IEEE 802.1Q, and Open vSwitch's action of that name).
//
// In:  an Ethernet header and the port it came in by. Out: a verdict; the source address is learned.
// In two steps, so that memory is asked for long before it is read: prepare() and prefetch() packet by packet, as they
// are parsed; then normal() for the burst. Runs on a worker; shares the bridge's Fdb with the other workers.
#pragma once

#include <span>

#include "engine/base/vlan.hpp"
#include "engine/classify/verdict.hpp"
#include "engine/fdb/fdb.hpp"
#include "engine/flow/key.hpp"

namespace turnout {

// What NORMAL will look up for a packet.
struct L2Lookup {
    uint64_t src, dst;  // Fdb keys
    uint64_t src_hash, dst_hash;
    uint16_t vlan;
    bool admitted;  // the port carries the VLAN
};

// `frame`: an Ethernet header at least. `vid`: of its outer VLAN tag, 0 if there is none. Addresses are read by plain
// loads, and the lookup is filled in place: putting either together from smaller stores would stall the next load.
inline void prepare(const Fdb& fdb, const PortVlans& in, const uint8_t* frame, uint16_t vid, L2Lookup& lookup) {
    constexpr uint64_t kMac = 0xffff'ffff'ffff;
    uint16_t vlan = vid;
    lookup.admitted = in.admit(vid, vlan);
    lookup.vlan = vlan;
    const uint64_t src = Fdb::key(load<uint64_t>(frame + sizeof(MacAddr)) & kMac, vlan);
    const uint64_t dst = Fdb::key(load<uint64_t>(frame) & kMac, vlan);
    lookup.src = src;
    lookup.dst = dst;
    lookup.src_hash = fdb.hash(src);
    lookup.dst_hash = fdb.hash(dst);
}

inline void prefetch(const Fdb& fdb, const L2Lookup& lookup) {
    fdb.prefetch(lookup.src_hash);
    fdb.prefetch(lookup.dst_hash);
}

void normal(Fdb& fdb, PortNo in_port, uint32_t now, std::span<const L2Lookup> lookups, std::span<Verdict> verdicts);

}  // namespace turnout
