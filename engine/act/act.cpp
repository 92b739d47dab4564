// SPDX-License-Identifier: Apache-2.0
#include "engine/act/act.hpp"

#include "engine/base/packet.hpp"
#include "engine/classify/normal.hpp"
#include "engine/parse/ethernet.hpp"
#include "engine/port/device.hpp"

namespace turnout {
namespace {

// Where a row's packets go, and whether their tag stays as it is: all that the common case needs to know.
struct Way {
    static constexpr PortNo kMany = 0xfffe;
    static constexpr PortNo kNowhere = 0xffff;  // dropped, the verdict says why
    static constexpr PortNo kClosed = 0xfffd;   // the port's settings forbid it

    PortNo to;
    bool as_is;

    bool operator==(const Way&) const = default;
};

bool keeps_tag(Tagged outer, const PortVlans& out, uint16_t vlan) {
    return outer.present ? out.tagged(vlan) && outer.vid == vlan : !out.tagged(vlan);
}

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

bool closed(const PortView& view) { return view.config & (kPortDown | kNoFwd); }

// Ports of one burst's bridge, one VLAN's at a time.
class Act {
public:
    // `blamed`: the port where drops are counted that no output port is to blame for.
    Act(const Plan& plan, BridgeNo bridge, PortNo in_port, PortNo blamed, Tx& tx)
        : plan_(plan), in_port_(in_port), blamed_(blamed), bridge_(bridge), tx_(tx) {}

    Way way(Verdict verdict, Tagged outer) {
        if (verdict.is_output() && closed(plan_.ports[verdict.to])) return {Way::kClosed, true};
        if (verdict.is_output() && reaches(verdict.to, verdict.vlan)) return one(verdict.to, verdict.vlan, outer);
        if (!verdict.is_flood() && !verdict.is_output()) return {Way::kNowhere, true};
        const PortNo only = flood_target(verdict.vlan);
        return only < kMaxPorts ? one(only, verdict.vlan, outer) : Way{Way::kMany, false};
    }

    void output(PortNo port, rte_mbuf* packet, Tagged outer, uint16_t vlan) {
        if (retag(packet, outer, plan_.ports[port].vlans, vlan))
            tx_.push(plan_, port, {&packet, 1});
        else
            tx_.drop(port, Drop::NoMbuf, packet);
    }

    // The packet itself goes to the last port, copies to the others.
    void flood(rte_mbuf* packet, Tagged outer, uint16_t vlan) {
        PortNo last = kNoPort;
        for (const PortNo port : plan_.bridges[bridge_].ports) {
            if (!floods_to(port, vlan)) continue;
            if (const Device* device = plan_.ports[port].device; device && !device->up()) {
                tx_.counters(port).drop(Drop::PortDown);
                continue;
            }
            if (last != kNoPort) {
                if (rte_mbuf* copy = rte_pktmbuf_copy(packet, packet->pool, 0, UINT32_MAX))
                    output(last, copy, outer, vlan);
                else
                    tx_.counters(last).drop(Drop::NoMbuf);
            }
            last = port;
        }
        if (last != kNoPort)
            output(last, packet, outer, vlan);
        else
            tx_.drop(blamed_, Drop::NoOtherPort, packet);
    }

    void send(rte_mbuf* packet, Way way, Tagged outer, Verdict verdict) {
        if (way.to == Way::kNowhere)
            tx_.drop(blamed_, verdict.reason(), packet);
        else if (way.to == Way::kClosed)
            tx_.drop(verdict.to, plan_.ports[verdict.to].config & kPortDown ? Drop::PortDown : Drop::PortNoFwd, packet);
        else if (way.to == Way::kMany)
            flood(packet, outer, verdict.vlan);
        else
            output(way.to, packet, outer, verdict.vlan);
    }

private:
    bool floods_to(PortNo port, uint16_t vlan) const {
        const PortView& view = plan_.ports[port];
        return port != in_port_ && view.vlans.carries(vlan) && !(view.config & kNoFlood) && !closed(view);
    }

    // An address may have been learned under a plan in which its port still carried this VLAN.
    bool reaches(PortNo port, uint16_t vlan) const {
        const PortView& view = plan_.ports[port];
        return view.exists && view.bridge == bridge_ && view.vlans.carries(vlan);
    }

    Way one(PortNo port, uint16_t vlan, Tagged outer) const {
        return {port, keeps_tag(outer, plan_.ports[port].vlans, vlan)};
    }

    // The only port to flood `vlan` to, or Way::kMany; worked out anew when the VLAN changes.
    PortNo flood_target(uint16_t vlan) {
        if (vlan == flood_vlan_) return flood_only_;
        flood_vlan_ = vlan;
        flood_only_ = Way::kMany;
        unsigned targets = 0;
        for (const PortNo port : plan_.bridges[bridge_].ports) {
            if (!floods_to(port, vlan)) continue;
            flood_only_ = ++targets == 1 ? port : Way::kMany;
            if (targets > 1) break;
        }
        return flood_only_;
    }

    const Plan& plan_;
    const PortNo in_port_, blamed_;
    const BridgeNo bridge_;
    Tx& tx_;
    uint32_t flood_vlan_ = UINT32_MAX;
    PortNo flood_only_ = Way::kMany;
};

}  // namespace

void act(const Plan& plan, PortNo in_port, std::span<rte_mbuf*> packets, std::span<const uint8_t> row,
         std::span<const Tagged> outer, std::span<const Verdict> verdicts, Tx& tx) {
    Act act(plan, plan.ports[in_port].bridge, in_port, in_port, tx);
    std::array<Way, kBurst> ways;
    bool uniform = true;
    for (size_t i = 0; i < verdicts.size(); i++) {
        const bool same = i > 0 && verdicts[i] == verdicts[i - 1] && outer[i] == outer[i - 1];
        ways[i] = same ? ways[i - 1] : act.way(verdicts[i], outer[i]);
        uniform = uniform && ways[i] == ways[0];
    }
    if (uniform && ways[0].to < kMaxPorts && ways[0].as_is) return tx.push(plan, ways[0].to, packets);

    for (size_t i = 0; i < packets.size();) {
        const uint8_t r = row[i];
        const Way way = ways[r];
        if (way.to < kMaxPorts && way.as_is) {  // as many as go the same way at once
            size_t end = i + 1;
            while (end < packets.size() && ways[row[end]] == way) end++;
            tx.push(plan, way.to, packets.subspan(i, end - i));
            i = end;
            continue;
        }
        act.send(packets[i], way, outer[r], verdicts[r]);
        i++;
    }
}

void act_normal(const Plan& plan, BridgeNo bridge, PortNo in_port, PortNo blamed, uint32_t second, rte_mbuf* packet,
                Tx& tx) {
    const auto* head = rte_pktmbuf_mtod(packet, const uint8_t*);
    Ethernet eth;
    Layers layers;
    parse_ethernet({head, packet->data_len}, eth, layers);
    const auto vid = static_cast<uint16_t>(eth.vlan[0].tci.host() & kVidMask);
    Fdb& fdb = *plan.bridges[bridge].fdb;
    L2Lookup lookup;
    Verdict verdict;
    if (in_port != kNoPort) {
        prepare(fdb, plan.ports[in_port].vlans, head, vid, lookup);
        normal(fdb, in_port, second, {&lookup, 1}, {&verdict, 1});
    } else {
        prepare(fdb, PortVlans{}, head, vid, lookup);
        const bool known = !(head[0] & 1);
        const PortNo to = known ? fdb.find(lookup.dst, lookup.dst_hash, second) : kNoPort;
        verdict = to == kNoPort ? Verdict::flood(vid) : Verdict::output(to, vid);
    }
    Act act(plan, bridge, in_port, blamed, tx);
    const Tagged outer{eth.vlan[0].tci != Be16{}, vid};
    act.send(packet, act.way(verdict, outer), outer, verdict);
}

}  // namespace turnout
