// SPDX-License-Identifier: Apache-2.0
#include "engine/act/act.hpp"

#include "engine/base/packet.hpp"

namespace turnout {
namespace {

// Makes the packet's tag what `out` wants for `vlan`; false if there is no room for one.
bool retag(rte_mbuf* packet, Tagged outer, const PortVlans& out, uint16_t vlan) {
    if (!out.tagged(vlan)) {
        if (outer.present) pop_vlan(packet);
        return true;
    }
    if (!outer.present) return push_vlan(packet, vlan);
    if (outer.vid != vlan) set_vid(packet, vlan);
    return true;
}

void output(const Plan& plan, PortNo port, rte_mbuf* packet, Tagged outer, uint16_t vlan, Tx& tx) {
    if (retag(packet, outer, plan.ports[port].vlans, vlan))
        tx.push(plan, port, packet);
    else
        tx.drop(port, Drop::NoMbuf, packet);
}

// The packet itself goes to the last port, copies to the others.
void flood(const Plan& plan, PortNo in_port, rte_mbuf* packet, Tagged outer, uint16_t vlan, Tx& tx) {
    PortNo last = kNoPort;
    for (const PortNo port : plan.bridges[plan.ports[in_port].bridge].ports) {
        if (port == in_port || !plan.ports[port].vlans.carries(vlan)) continue;
        if (last != kNoPort) {
            if (rte_mbuf* copy = rte_pktmbuf_copy(packet, packet->pool, 0, UINT32_MAX))
                output(plan, last, copy, outer, vlan, tx);
            else
                tx.counters(last).drop(Drop::NoMbuf);
        }
        last = port;
    }
    if (last != kNoPort)
        output(plan, last, packet, outer, vlan, tx);
    else
        tx.drop(in_port, Drop::NoOtherPort, packet);
}

}  // namespace

void act(const Plan& plan, PortNo in_port, rte_mbuf* packet, Tagged outer, Verdict verdict, Tx& tx) {
    if (verdict.is_flood()) return flood(plan, in_port, packet, outer, verdict.vlan, tx);
    if (!verdict.is_output()) return tx.drop(in_port, verdict.reason(), packet);
    // The address may have been learned under a plan in which the port still carried this VLAN.
    const PortView& out = plan.ports[verdict.to];
    if (!out.exists || out.bridge != plan.ports[in_port].bridge || !out.vlans.carries(verdict.vlan))
        return flood(plan, in_port, packet, outer, verdict.vlan, tx);
    output(plan, verdict.to, packet, outer, verdict.vlan, tx);
}

}  // namespace turnout
