// SPDX-License-Identifier: Apache-2.0
// Ports: plain, reserved, the learning switch's, controllers.
#include <algorithm>
#include <utility>

#include "engine/act/act.hpp"
#include "engine/act/execute.hpp"
#include "engine/act/hash.hpp"
#include "engine/tx/offload.hpp"

namespace turnout {
namespace {

constexpr uint64_t kL4Requests = RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG;

// Whether the port's settings let a packet out.
bool lets_out(const PortView& view, Drop& why) {
    if (!(view.config & (kPortDown | kNoFwd))) [[likely]]
        return true;
    why = view.config & kPortDown ? Drop::PortDown : Drop::PortNoFwd;
    return false;
}

// A copy for a controller, which can't be asked to finish a checksum; null: no mbuf. Whole, whatever max_len says: that
// is for switches that keep the rest (OpenFlow 1.3.5, 6.1.2), which Open vSwitch does not either.
rte_mbuf* copy_for_controller(const rte_mbuf* packet) {
    rte_mbuf* copy = rte_pktmbuf_copy(packet, packet->pool, 0, UINT32_MAX);
    if (copy && packet->ol_flags & kL4Requests) finish_checksums(copy);
    return copy;
}

}  // namespace

uint32_t Execute::widened(Wide port) {
    const auto number = static_cast<uint32_t>(port);
    return number >= 0xff00 && number <= 0xffff ? number | 0xffff0000 : number;  // OpenFlow 1.0's reserved ports
}

PortNo Execute::plain_port(uint32_t of_port, uint32_t of_in_port, Drop& why) const {
    if (of_port == of_in_port) {
        why = Drop::SamePort;
        return kNoPort;
    }
    const PortNo port = bridge_->port_of(of_port);
    if (port == kNoPort) {
        why = Drop::NoSuchPort;
        return kNoPort;
    }
    return lets_out(plan_->ports[port], why) ? port : kNoPort;
}

void Execute::settle_copies(const Packet& packet) {
    const bool dropped = packet.why == Drop::TooManyResubmits && packet.out == Packet::kNowhere && !packet.sent;
    const unsigned n = std::exchange(held_n_, 0);
    holds_ = false;
    for (const auto& [copy, to] : std::span(held_).first(n))
        if (dropped)
            rte_pktmbuf_free(copy);
        else
            send(copy, to);
}

void Execute::send(rte_mbuf* packet, PortNo to) {
    if (holds_ && held_n_ < held_.size())
        held_[held_n_++] = {packet, to};
    else if (to == Packet::kNormal)
        normal(packet);
    else
        tx_.push(*plan_, to, {&packet, 1});
}

void Execute::send_copy(Packet& packet) {
    if (rte_mbuf* copy = rte_pktmbuf_copy(packet.mbuf, packet.mbuf->pool, 0, UINT32_MAX))
        send(copy, packet.out);
    else
        tx_.counters(packet.out == Packet::kNormal ? blamed_ : packet.out).drop(Drop::NoMbuf);
    packet.out = Packet::kNowhere;
    packet.sent = true;
}

Execute::Step Execute::output_to(Packet& packet, PortNo port) {
    if (!write(packet)) return dead(packet, Drop::NoMbuf);
    release(packet);
    packet.out = port;
    return Step::Go;
}

Execute::Step Execute::output(Packet& packet, uint32_t port, uint16_t max_len, const Context& context) {
    const uint32_t in_port = packet.key.arrival.in_port.host();
    switch (port) {
        case of::kPortNormal:
            return output_to(packet, Packet::kNormal);
        case of::kPortFlood:
            return output_many(packet, true);
        case of::kPortAll:
            return output_many(packet, false);
        case of::kPortController:
            packet_in(packet, context.reason, 0, max_len, nullptr, context);
            packet.sent = true;
            return Step::Go;
        case of::kPortTable:
            return context.rule ? Step::Go : walk(packet, 0, packet.key.arrival.in_port, context);
        case of::kPortAny:
            return Step::Go;
    }
    const bool back = port == of::kPortInPort;
    const PortNo to = plain_port(back ? in_port : port, back ? of::kPortAny : in_port, packet.why);
    return to == kNoPort ? Step::Go : output_to(packet, to);
}

Execute::Step Execute::output_many(Packet& packet, bool flood) {
    const uint32_t in_port = packet.key.arrival.in_port.host();
    packet.why = Drop::NoOtherPort;
    for (const PortNo port : bridge_->ports) {
        const PortView& view = plan_->ports[port];
        if (view.ofport == in_port || (flood && view.config & kNoFlood)) continue;
        if (!lets_out(view, packet.why)) continue;
        if (const Step step = output_to(packet, port); step != Step::Go) return step;
    }
    return Step::Go;
}

Execute::Step Execute::output_cut(Packet& packet, const of::OutputTrunc& action, const Context& context) {
    const uint32_t in_port = packet.key.arrival.in_port.host();
    if (action.port == of::kPortController) {
        packet_in(packet, context.reason, 0, static_cast<uint16_t>(std::min(action.max_len, 0xffffu)), nullptr,
                  context);
        packet.sent = true;
        return Step::Go;
    }
    const bool back = action.port == of::kPortInPort;
    const PortNo to = plain_port(back ? in_port : action.port, back ? of::kPortAny : in_port, packet.why);
    if (to == kNoPort) return Step::Go;
    if (!write(packet)) return dead(packet, Drop::NoMbuf);
    if (rte_mbuf* copy = rte_pktmbuf_copy(packet.mbuf, packet.mbuf->pool, 0, action.max_len)) {
        if (copy->pkt_len < packet.mbuf->pkt_len) copy->ol_flags &= ~kL4Requests;  // the checksum covers what is gone
        send(copy, to);
    } else {
        tx_.counters(to).drop(Drop::NoMbuf);
    }
    packet.sent = true;
    return Step::Go;
}

Execute::Step Execute::to_controller(Packet& packet, const of::Controller& action, const Context& context) {
    // NXAST_CONTROLLER says its own reason; plain ones are told apart by where the action stands.
    const bool plain = action.reason == static_cast<uint8_t>(Reason::Action);
    packet_in(packet, plain ? context.reason : static_cast<Reason>(action.reason), action.id, action.max_len,
              &action.userdata, context);
    packet.sent = true;
    return Step::Go;
}

void Execute::packet_in(Packet& packet, Reason reason, uint16_t controller, uint16_t max_len,
                        const std::shared_ptr<const std::vector<uint8_t>>* userdata, const Context& context) {
    const bool missed = reason == Reason::NoMatch || reason == Reason::ExplicitMiss || reason == Reason::ImplicitMiss;
    if (missed && in_port_ != kNoPort && plan_->ports[in_port_].config & kNoPacketIn) return;
    if (from_controller_ && !missed && reason != Reason::InvalidTtl) reason = Reason::PacketOut;
    if (!write(packet) || !need(packet, packet.depth)) return tx_.counters(blamed_).drop(Drop::NoMbuf);
    rte_mbuf* copy = copy_for_controller(packet.mbuf);
    if (!copy) return tx_.counters(blamed_).drop(Drop::NoMbuf);
    Event* event = mailbox_.blank();
    if (!event) {
        tx_.drop(blamed_, Drop::PacketInFull, copy);
        return;
    }
    event->kind = Event::PacketIn;
    event->packet = copy;
    event->table = context.table;
    event->bridge = bridge_no_;
    event->key = packet.key;
    event->reason = reason;
    event->controller = controller;
    event->max_len = max_len;
    event->total_len = packet.mbuf->pkt_len;
    const Rule* rule = packet.rule;
    event->cookie = rule && rule->flow ? rule->flow->cookie.load(std::memory_order_relaxed) : ~uint64_t{0};
    if (userdata) event->userdata = *userdata;
    mailbox_.post(event);
}

void Execute::normal(rte_mbuf* packet) {
    if (packet->data_len < kEtherHeader + kVlanTag && packet->data_len < packet->pkt_len) {
        tx_.drop(blamed_, Drop::Runt, packet);
        return;
    }
    act_normal(*plan_, bridge_no_, in_port_, blamed_, second_, packet, tx_);
}

uint32_t Execute::bundle_port(Packet& packet, const of::BundleSpec& spec) {
    constexpr uint16_t kHighestRandom = 1;  // NX_BD_ALG_HRW; else the first that is alive
    const uint32_t flow = hash_nx(packet.key, spec.fields, spec.basis);
    uint32_t best = of::kPortAny;
    uint64_t highest = 0;
    for (size_t i = 0; i < spec.members.size(); i++) {
        if (!alive(spec.members[i])) continue;
        if (spec.algorithm != kHighestRandom) return spec.members[i];
        const uint64_t score = mix(flow | uint64_t{i} << 32) | 1;
        if (score > highest) highest = score, best = spec.members[i];
    }
    return best;
}

}  // namespace turnout
