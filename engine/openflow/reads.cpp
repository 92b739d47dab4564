// SPDX-License-Identifier: Apache-2.0
// What actions look at of a packet: decides how deep packets are parsed and which of them a flow cache may treat alike.
#include <algorithm>

#include "engine/openflow/programs.hpp"

namespace turnout::of {
namespace {

template <typename T>
void set(T& part) {
    std::memset(&part, 0xff, sizeof part);
}

// What NORMAL and every rewrite of the Ethernet header look at.
const FlowKey& ethernet() {
    static const FlowKey mask = [] {
        FlowKey made{};
        set(made.eth.dst), set(made.eth.src), set(made.eth.type), set(made.eth.vlan);
        return made;
    }();
    return mask;
}

// The 5-tuple and what decides whether a packet has one: select groups, multipath and bundle hash it.
const FlowKey& hashed() {
    static const FlowKey mask = [] {
        FlowKey made = ethernet();
        set(made.net.ipv4_src), set(made.net.ipv4_dst), set(made.net.ipv6_src), set(made.net.ipv6_dst);
        set(made.net.proto), set(made.net.frag), set(made.tp.src), set(made.tp.dst);
        return made;
    }();
    return mask;
}

const FlowKey& network() {
    static const FlowKey mask = [] {
        FlowKey made = ethernet();
        set(made.net.ttl), set(made.net.tos), set(made.net.mpls_lse), set(made.net.proto), set(made.net.frag);
        return made;
    }();
    return mask;
}

// What says whether a packet has the field, or where in the packet it is.
FlowKey needed_for(const Field& field) {
    switch (field.prereq) {
        case Prereq::None:
        case Prereq::Pushed:
            return {};
        case Prereq::Vlan:
        case Prereq::Vlan2:
        case Prereq::Pbb:
            return ethernet();
        default:
            return network();
    }
}

struct Looker {
    FlowKey& mask;

    void bits(const Bits& from) const {
        if (from.field) mask |= mask_of(*from.field), mask |= needed_for(*from.field);
    }
    void written(const Bits& to) const {
        if (to.field) mask |= needed_for(*to.field);
    }

    void operator()(const Output& output) const {
        if (output.port == kPortNormal) mask |= ethernet();
        set(mask.arrival.in_port);  // nothing goes out where it came in
    }
    void operator()(const OutputReg& output) const { bits(output.port), set(mask.arrival.in_port); }
    void operator()(const OutputTrunc&) const { set(mask.arrival.in_port); }
    void operator()(const Enqueue&) const { set(mask.arrival.in_port); }
    void operator()(const SetField& set) const {
        const FlowKey whole = mask_of(*set.field);
        mask |= needed_for(*set.field);
        // What is left of the field is read with it.
        if (std::memcmp(reinterpret_cast<const uint8_t*>(&whole) + set.field->offset, set.mask.data(),
                        set.field->bytes) != 0)
            mask |= whole;
    }
    void operator()(const Move& move) const { bits(move.from), written(move.to); }
    void operator()(const StackPush& push) const { bits(push.bits); }
    void operator()(const StackPop& pop) const { written(pop.bits); }
    void operator()(const Multipath& path) const { mask |= hashed(), written(path.to); }
    void operator()(const Bundle& bundle) const { mask |= hashed(), written(bundle.spec->to); }
    void operator()(const Clone& clone) const { mask |= reads_of(*clone.actions); }
    void operator()(const LearnAction& action) const {
        for (const Learn::Spec& spec : action.learn->specs)
            if (spec.from_field) bits(spec.from);
    }
    // A learned flow follows TCP's FIN and RST.
    void operator()(const FinTimeout&) const { mask |= network(), set(mask.tp.tcp_flags); }
    template <typename Other>
    void operator()(const Other&) const {
        using std::is_same_v;
        if constexpr (is_same_v<Other, SetVlanVid> || is_same_v<Other, SetVlanPcp> || is_same_v<Other, PushVlan> ||
                      is_same_v<Other, PopVlan> || is_same_v<Other, PushPbb> || is_same_v<Other, PopPbb>)
            mask |= ethernet();
        else if constexpr (is_same_v<Other, PushMpls> || is_same_v<Other, PopMpls> || is_same_v<Other, SetMplsTtl> ||
                           is_same_v<Other, DecMplsTtl> || is_same_v<Other, CopyTtlOut> ||
                           is_same_v<Other, CopyTtlIn> || is_same_v<Other, DecTtl>)
            mask |= network();
    }
};

}  // namespace

void operator|=(FlowKey& mask, const FlowKey& more) {
    for (size_t i = 0; i < kKeyWords; i++) set_word(mask, i, word(mask, i) | word(more, i));
}

FlowKey reads_of(const Actions& actions) {
    FlowKey mask{};
    for (const Action& action : actions) std::visit(Looker{mask}, action.is);
    return mask;
}

FlowKey reads_of(const Program& program) {
    FlowKey mask = reads_of(program.apply);
    mask |= reads_of(program.write);
    return mask;
}

FlowKey reads_of(const Group& group) {
    FlowKey mask{};
    if (group.type == Group::Select) mask = hashed();
    for (const Field* field : group.fields) mask |= mask_of(*field);
    for (const Bucket& bucket : group.buckets) mask |= reads_of(bucket.actions);
    return mask;
}

Depth depth_of(const FlowKey& mask) {
    const auto any = [](const auto& part) {
        const auto* bytes = reinterpret_cast<const uint8_t*>(&part);
        return std::any_of(bytes, bytes + sizeof part, [](uint8_t byte) { return byte != 0; });
    };
    return any(mask.tp) ? Depth::L4 : any(mask.net) ? Depth::L3 : Depth::L2;
}

bool port_only(const FlowKey& mask) {
    FlowKey rest = mask;
    rest.arrival.in_port = {};
    for (size_t i = 0; i < kKeyWords; i++)
        if (word(rest, i)) return false;
    return true;
}

}  // namespace turnout::of
