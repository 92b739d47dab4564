// SPDX-License-Identifier: Apache-2.0
#include "engine/act/execute.hpp"

#include <type_traits>
#include <utility>

#include "engine/act/edit.hpp"
#include "engine/act/hash.hpp"

namespace turnout {

Execute::Execute(Tx& tx, Tallies& tallies, Mailbox& mailbox) : tx_(tx), tallies_(tallies), mailbox_(mailbox) {}

void Execute::begin(const Plan& plan, BridgeNo bridge, PortNo in_port, const of::Pipeline& pipeline, Version version,
                    uint32_t second) {
    plan_ = &plan;
    bridge_no_ = bridge;
    bridge_ = &plan.bridges[bridge];
    pipeline_ = &pipeline;
    groups_ = pipeline.groups.load(std::memory_order_acquire);
    meters_ = pipeline.meters.load(std::memory_order_acquire);
    lookup_depth_ = pipeline.reads.load(std::memory_order_acquire)->depth;
    hides_ports_ = pipeline.frag.load(std::memory_order_relaxed) != of::Frag::NxMatch;
    version_ = version;
    second_ = second;
    in_port_ = in_port;
    from_controller_ = false;
    const PortNo local = bridge_->local;
    blamed_ = in_port != kNoPort ? in_port : local != kNoPort ? local : PortNo{0};
}

bool Execute::need(Packet& packet, Depth depth) {
    if (!packet.stale && packet.depth >= depth) [[likely]]
        return true;
    if (!write(packet)) return false;
    packet.opaque = packet.opaque || packet.stale;
    parse_again(packet, std::max(depth, packet.depth));
    return true;
}

bool Execute::write(Packet& packet) {
    if (!packet.changed) return true;
    release(packet);
    return commit(packet);
}

unsigned Execute::instructions(Packet& packet, const Rule& rule) {
    unsigned next = kDone;
    instructions(packet, rule, {&rule, static_cast<uint8_t>(rule.table), Reason::Action, 0, true}, next);
    return next;
}

Execute::Step Execute::instructions(Packet& packet, const Rule& rule, const Context& context, unsigned& next) {
    const of::Program& program = *rule.program;
    packet.rule = &rule;
    next = kDone;
    if (program.meter != 0)
        if (const Step step = meter(packet, program.meter); step != Step::Go) return step;
    if (!program.apply.empty()) {
        Context inner = context;
        inner.reason = rule.priority == 0 ? Reason::ExplicitMiss : Reason::Action;
        inner.last = context.last && !program.has_goto && !program.has_write;
        if (const Step step = run(packet, program.apply, inner); step != Step::Go) return step;
    }
    if (packet.set) {
        if (program.clear) packet.set->clear();
        if (program.has_write && !packet.set->write(program.write)) return dead(packet, Drop::BadAction);
    }
    if (program.has_metadata) {
        Be64& metadata = packet.key.arrival.metadata;
        metadata.raw = (metadata.raw & ~program.metadata_mask.raw) | (program.metadata.raw & program.metadata_mask.raw);
    }
    if (program.has_goto) next = program.goto_table;
    return Step::Go;
}

void Execute::actions(Packet& packet, const of::Actions& actions) {
    packet.rule = nullptr;
    from_controller_ = true;
    run(packet, actions, {nullptr, 0, Reason::PacketOut, 0, packet.set == nullptr});
}

void Execute::action_set(Packet& packet) {
    if (!packet.set || packet.set->empty()) return;
    const uint8_t table = packet.rule ? static_cast<uint8_t>(packet.rule->table) : uint8_t{0};
    const Context context{packet.rule, table, Reason::ActionSet, 0, false};
    packet.set->for_each([&](const of::Action& action) { return one(packet, action, context) == Step::Go; });
}

bool Execute::settle(Packet& packet) {
    if (packet.out != Packet::kNowhere) return true;
    if (packet.sent)
        rte_pktmbuf_free(packet.mbuf);
    else
        tx_.drop(blamed_, packet.why, packet.mbuf);
    return false;
}

Execute::Step Execute::run(Packet& packet, const of::Actions& actions, const Context& context) {
    for (size_t i = 0; i < actions.size(); i++) {
        Context here = context;
        // A table that these actions resubmitted to may have written to the action set, which is carried out yet.
        here.last = context.last && i + 1 == actions.size() && (!packet.set || packet.set->empty());
        if (const Step step = one(packet, actions[i], here); step != Step::Go) return step;
    }
    return Step::Go;
}

Execute::Step Execute::one(Packet& packet, const of::Action& action, const Context& context) {
    return std::visit([&](const auto& kind) { return act_on(packet, kind, context); }, action.is);
}

template <typename Kind>
Execute::Step Execute::act_on(Packet& packet, const Kind& action, const Context& context) {
    using namespace of;
    constexpr auto is = []<typename... Kinds>() { return (std::is_same_v<Kind, Kinds> || ...); };

    if constexpr (is.template operator()<Output>()) {
        return output(packet, action.port, action.max_len, context);
    } else if constexpr (is.template operator()<OutputReg>()) {
        Wide port = 0;
        return get(packet, action.port, port) ? output(packet, widened(port), action.max_len, context) : Step::Go;
    } else if constexpr (is.template operator()<OutputTrunc>()) {
        return output_cut(packet, action, context);
    } else if constexpr (is.template operator()<Enqueue>()) {
        const uint32_t before = std::exchange(packet.queue, action.queue);
        const Step step = output(packet, action.port, UINT16_MAX, context);
        packet.queue = before;
        return step;
    } else if constexpr (is.template operator()<Controller>()) {
        return to_controller(packet, action, context);
    } else if constexpr (is.template operator()<ToGroup>()) {
        return group(packet, action.group, context);
    } else if constexpr (is.template operator()<SetQueue>()) {
        packet.queue = action.queue;
        return Step::Go;
    } else if constexpr (is.template operator()<PopQueue>()) {
        packet.queue = 0;
        return Step::Go;
    } else if constexpr (is.template operator()<SetField>()) {
        return set_field(packet, action);
    } else if constexpr (is.template operator()<Move>()) {
        Wide value = 0;
        return get(packet, action.from, value) ? put(packet, action.to, value) : Step::Go;
    } else if constexpr (is.template operator()<StackPush>()) {
        Wide value = 0;
        get(packet, action.bits, value);
        if (stack_n_ == kStack) return dead(packet, Drop::BadAction);
        stack_[stack_n_++] = value;
        return Step::Go;
    } else if constexpr (is.template operator()<StackPop>()) {
        return stack_n_ ? put(packet, action.bits, stack_[--stack_n_]) : Step::Go;
    } else if constexpr (is.template operator()<SetVlanVid>()) {
        if (!need(packet, Depth::L2)) return dead(packet, Drop::NoMbuf);
        return set_tci(packet, Be16::of((packet.key.eth.vlan[0].tci.host() & 0xe000) | 0x1000 | (action.vid & 0xfff)));
    } else if constexpr (is.template operator()<SetVlanPcp>()) {
        if (!need(packet, Depth::L2)) return dead(packet, Drop::NoMbuf);
        const unsigned pcp = action.pcp & 7u;
        return set_tci(
            packet, Be16::of(static_cast<uint16_t>((packet.key.eth.vlan[0].tci.host() & 0xfff) | 0x1000 | pcp << 13)));
    } else if constexpr (is.template operator()<SetMplsTtl>()) {
        return set_mpls_ttl(packet, action.ttl);
    } else if constexpr (is.template operator()<DecMplsTtl>()) {
        return decrement_mpls_ttl(packet, context);
    } else if constexpr (is.template operator()<DecTtl>()) {
        return decrement_ttl(packet, action, context);
    } else if constexpr (is.template operator()<PushVlan>()) {
        return edit(packet, open(packet) && push_vlan(packet, action.tpid));
    } else if constexpr (is.template operator()<PopVlan>()) {
        return edit(packet, open(packet) && pop_vlan(packet));
    } else if constexpr (is.template operator()<PushMpls>()) {
        return edit(packet, open(packet) && push_mpls(packet, action.eth_type));
    } else if constexpr (is.template operator()<PopMpls>()) {
        return edit(packet, open(packet) && pop_mpls(packet, action.eth_type));
    } else if constexpr (is.template operator()<PushPbb>()) {
        return edit(packet, open(packet) && push_pbb(packet, action.tpid));
    } else if constexpr (is.template operator()<PopPbb>()) {
        return edit(packet, open(packet) && pop_pbb(packet));
    } else if constexpr (is.template operator()<CopyTtlOut>()) {
        return edit(packet, open(packet) && copy_ttl_out(packet));
    } else if constexpr (is.template operator()<CopyTtlIn>()) {
        return edit(packet, open(packet) && copy_ttl_in(packet));
    } else if constexpr (is.template operator()<Resubmit>()) {
        return resubmit(packet, action, context);
    } else if constexpr (is.template operator()<Clone>()) {
        return clone(packet, *action.actions, context);
    } else if constexpr (is.template operator()<Exit>()) {
        return Step::Exit;
    } else if constexpr (is.template operator()<Multipath>()) {
        if (!need(packet, Depth::L4)) return dead(packet, Drop::NoMbuf);
        packet.opaque = true;
        return put(packet, action.to, multipath_link(action, hash_nx(packet.key, action.fields, action.basis)));
    } else if constexpr (is.template operator()<Bundle>()) {
        if (!need(packet, Depth::L4)) return dead(packet, Drop::NoMbuf);
        packet.opaque = true;
        const uint32_t port = bundle_port(packet, *action.spec);
        if (action.spec->to.field) return put(packet, action.spec->to, port & 0xffff);
        return port == kPortAny ? Step::Go : output(packet, port, UINT16_MAX, context);
    } else if constexpr (is.template operator()<LearnAction>()) {
        return learn(packet, action, context);
    } else if constexpr (is.template operator()<FinTimeout>()) {
        return fin_timeout(packet, action, context);
    } else {
        static_assert(is.template operator()<Note, Conjunction, Sample>());  // nothing to do to the packet
        return Step::Go;
    }
}

}  // namespace turnout
