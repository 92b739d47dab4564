// SPDX-License-Identifier: Apache-2.0
// Actions that set fields, and those that make control change flows.
#include <algorithm>
#include <cstring>

#include "engine/act/edit.hpp"
#include "engine/act/execute.hpp"
#include "engine/act/hash.hpp"

namespace turnout {
namespace {

constexpr size_t kTci = offsetof(FlowKey, eth.vlan[0].tci);

// How deep the packet must be parsed for the field, and for telling whether the packet has it.
Depth depth_of(const Field& field) {
    if (field.offset < offsetof(FlowKey, net)) return Depth::L2;
    if (field.offset < offsetof(FlowKey, tp)) return Depth::L3;
    return field.offset < offsetof(FlowKey, tunnel) ? Depth::L4 : Depth::L2;
}

bool is_port(const Field& field) {
    return field.prereq == Prereq::Tcp && field.offset < offsetof(FlowKey, tp.tcp_flags);
}

// nw_tos: the ECN beside the DSCP is neither read nor written (as in Open vSwitch).
bool is_dscp_in_place(const Field& field) { return field.offset == offsetof(FlowKey, net.tos) && field.bits == 8; }

// OpenFlow 1.0's actions mean whichever transport the packet has.
bool has_field(const of::SetField& set, const FlowKey& key) {
    if (set.spelled != of::SetField::Legacy || !is_port(*set.field)) return applies(*set.field, key);
    const uint8_t proto = key.net.proto;
    const bool ip = key.eth.type == Be16::of(0x0800) || key.eth.type == Be16::of(0x86dd);
    return ip && !(key.net.frag & kFragLater) && (proto == 6 || proto == 17 || proto == 132);
}

void note_change(Packet& packet, const Field& field) {
    packet.changed |= part_of(field.offset);
    packet.registers = packet.registers || field.offset >= offsetof(FlowKey, tunnel);
}

uint16_t tci_bits(const uint8_t* value) { return load<Be16>(value).host(); }

}  // namespace

Execute::Step Execute::set_field(Packet& packet, const of::SetField& set) {
    const Field& field = *set.field;
    if (!need(packet, depth_of(field))) return dead(packet, Drop::NoMbuf);
    if (field.offset == kTci) {
        const uint16_t mask = tci_bits(set.mask.data());
        const uint16_t before = packet.key.eth.vlan[0].tci.host();
        if (before == 0 && !(mask & kVlanPresent.host())) return Step::Go;  // no tag to set a field of
        const auto after = static_cast<uint16_t>((before & ~mask) | (tci_bits(set.value.data()) & mask));
        return set_tci(packet, Be16::of(after));
    }
    if (!has_field(set, packet.key)) return Step::Go;
    uint8_t* at = reinterpret_cast<uint8_t*>(&packet.key) + field.offset;
    const uint8_t own = is_dscp_in_place(field) ? 0xfc : 0xff;
    for (unsigned i = 0; i < field.bytes; i++) {
        const uint8_t mask = set.mask[i] & own;
        at[i] = static_cast<uint8_t>((at[i] & ~mask) | (set.value[i] & mask));
    }
    note_change(packet, field);
    return Step::Go;
}

bool Execute::get(Packet& packet, const of::Bits& bits, Wide& value) {
    if (!need(packet, depth_of(*bits.field)) || !applies(*bits.field, packet.key)) return false;
    value = read_bits(bits, packet.key);
    if (is_dscp_in_place(*bits.field)) value &= Wide{0xfc} >> bits.from;
    return true;
}

Execute::Step Execute::put(Packet& packet, const of::Bits& bits, Wide value) {
    const Field& field = *bits.field;
    if (!need(packet, depth_of(field))) return dead(packet, Drop::NoMbuf);
    if (field.offset == kTci) {
        FlowKey copy = packet.key;
        write_bits(bits, value, copy);
        const bool sets_presence = bits.field->shift + bits.from <= 12 && bits.field->shift + bits.from + bits.n > 12;
        return packet.key.eth.vlan[0].tci == Be16{} && !sets_presence ? Step::Go
                                                                      : set_tci(packet, copy.eth.vlan[0].tci);
    }
    if (!applies(field, packet.key)) return Step::Go;
    const uint8_t tos = packet.key.net.tos;
    write_bits(bits, value, packet.key);
    if (is_dscp_in_place(field)) packet.key.net.tos = static_cast<uint8_t>((packet.key.net.tos & 0xfc) | (tos & 3));
    note_change(packet, field);
    return Step::Go;
}

// A tag comes or goes with kVlanPresent.
Execute::Step Execute::set_tci(Packet& packet, Be16 tci) {
    const bool has = packet.key.eth.vlan[0].tci != Be16{}, wants = tci.raw & kVlanPresent.raw;
    if (has && !wants) return edit(packet, open(packet) && pop_vlan(packet));
    if (!wants) return Step::Go;
    if (!has && !(open(packet) && push_vlan(packet, Be16::of(0x8100)))) return dead(packet, Drop::NoMbuf);
    packet.key.eth.vlan[0].tci = tci;
    packet.changed |= kPartVlan;
    return Step::Go;
}

bool Execute::open(Packet& packet) {
    if (!need(packet, Depth::L3)) return false;
    release(packet);
    return commit(packet) && writable(packet);
}

Execute::Step Execute::set_mpls_ttl(Packet& packet, uint8_t ttl) {
    if (!need(packet, Depth::L3)) return dead(packet, Drop::NoMbuf);
    if (packet.layers.l2_5 == Layers::kNone) return Step::Go;
    Be32& entry = packet.key.net.mpls_lse[0];
    entry = Be32::of((entry.host() & ~0xffu) | ttl);
    packet.changed |= kPartLabels;
    return Step::Go;
}

Execute::Step Execute::decrement_mpls_ttl(Packet& packet, const Context& context) {
    if (!need(packet, Depth::L3)) return dead(packet, Drop::NoMbuf);
    if (packet.layers.l2_5 == Layers::kNone) return Step::Go;
    const auto ttl = static_cast<uint8_t>(packet.key.net.mpls_lse[0].host());
    if (ttl > 1) return set_mpls_ttl(packet, static_cast<uint8_t>(ttl - 1));
    packet_in(packet, Reason::InvalidTtl, 0, UINT16_MAX, nullptr, context);
    packet.why = Drop::TtlExpired;
    return Step::End;
}

Execute::Step Execute::decrement_ttl(Packet& packet, const of::DecTtl& action, const Context& context) {
    if (!need(packet, Depth::L3)) return dead(packet, Drop::NoMbuf);
    const Be16 type = packet.key.eth.type;
    if ((type != Be16::of(0x0800) && type != Be16::of(0x86dd)) || packet.layers.l4 == Layers::kNone) return Step::Go;
    if (packet.key.net.ttl > 1) {
        packet.key.net.ttl--;
        packet.changed |= kPartNet;
        return Step::Go;
    }
    if (action.controllers)
        for (const uint16_t id : *action.controllers)
            packet_in(packet, Reason::InvalidTtl, id, UINT16_MAX, nullptr, context);
    else
        packet_in(packet, Reason::InvalidTtl, 0, UINT16_MAX, nullptr, context);
    packet.why = Drop::TtlExpired;
    return Step::End;
}

Execute::Step Execute::learn(Packet& packet, const of::LearnAction& action, const Context& context) {
    if (!need(packet, Depth::L4)) return dead(packet, Drop::NoMbuf);
    const of::Learn& learn = *action.learn;
    uint64_t what = mix(reinterpret_cast<uintptr_t>(&learn) ^ uint64_t{bridge_no_} << 48);
    for (const of::Learn::Spec& spec : learn.specs) {
        if (!spec.from_field) continue;
        const Wide value = read_bits(spec.from, packet.key);
        what = mix(mix(what ^ static_cast<uint64_t>(value)) + static_cast<uint64_t>(value >> 64));
    }
    Asked& asked = asked_[what % kAsked];
    if (asked.what == what && asked.second == second_) return Step::Go;
    Event* event = mailbox_.blank();
    if (!event) {
        tx_.counters(blamed_).drop(Drop::PacketInFull);
        return Step::Go;
    }
    asked = {what, second_};
    event->kind = Event::Learn;
    event->table = context.table;
    event->bridge = bridge_no_;
    event->key = packet.key;
    event->learn = action.learn;
    mailbox_.post(event);
    return Step::Go;
}

Execute::Step Execute::fin_timeout(Packet& packet, const of::FinTimeout& action, const Context& context) {
    constexpr uint16_t kFin = 1, kRst = 4;
    if (!need(packet, Depth::L4)) return dead(packet, Drop::NoMbuf);
    const Be16 type = packet.key.eth.type;
    const bool tcp = (type == Be16::of(0x0800) || type == Be16::of(0x86dd)) && packet.key.net.proto == 6;
    if (!tcp || !(packet.key.tp.tcp_flags.host() & (kFin | kRst)) || !context.rule) return Step::Go;
    if (Event* event = mailbox_.blank()) {
        event->kind = Event::FinTimeout;
        event->table = context.table;
        event->bridge = bridge_no_;
        event->key = packet.key;
        event->idle = action.idle;
        event->hard = action.hard;
        mailbox_.post(event);
    }
    return Step::Go;
}

}  // namespace turnout
