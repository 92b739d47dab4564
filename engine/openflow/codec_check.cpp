// SPDX-License-Identifier: Apache-2.0
// Whether actions fit the packets that a match lets through (OpenFlow 1.3.5, 6.4: OFPBAC_MATCH_INCONSISTENT and
// others), decided as Open vSwitch does: an OpenFlow 1.0 or Nicira action that cannot apply is let through and does
// nothing.
#include "engine/openflow/codec_parts.hpp"

namespace turnout::of {
namespace {

bool is_mpls(const FlowKey& packet) {
    return packet.eth.type == Be16::of(0x8847) || packet.eth.type == Be16::of(0x8848);
}
bool is_ip(const FlowKey& packet) { return packet.eth.type == Be16::of(0x0800) || packet.eth.type == Be16::of(0x86dd); }
bool is_tagged(const FlowKey& packet) { return (packet.eth.vlan[0].tci.raw & kVlanPresent.raw) != 0; }

class Checker {
public:
    Checker(FlowKey& packet, bool strict) : packet_(packet), strict_(strict) {}

    template <typename Other>
    void operator()(Other&) {}  // fits any packet

    void operator()(SetVlanVid& action) {
        action.tagged = is_tagged(packet_);
        packet_.eth.vlan[0].tci.raw |= kVlanPresent.raw;
    }
    void operator()(SetVlanPcp& action) {
        action.tagged = is_tagged(packet_);
        packet_.eth.vlan[0].tci.raw |= kVlanPresent.raw;
    }
    void operator()(PushVlan&) {
        if (packet_.eth.vlan[1].tci.raw & kVlanPresent.raw) throw error::kActionTag;
        packet_.eth.vlan[1] = packet_.eth.vlan[0];
        packet_.eth.vlan[0].tci.raw |= kVlanPresent.raw;
    }
    void operator()(PopVlan&) {
        if (!is_tagged(packet_)) inconsistent();
        packet_.eth.vlan[0] = packet_.eth.vlan[1];
        packet_.eth.vlan[1] = {};
    }
    void operator()(PushMpls& action) { becomes(action.eth_type); }
    void operator()(PopMpls& action) {
        if (!is_mpls(packet_)) inconsistent();
        becomes(action.eth_type);
    }
    void operator()(PushPbb& action) { becomes(action.tpid); }
    void operator()(PopPbb&) {
        if (packet_.eth.type != Be16::of(0x88e7)) inconsistent();
        becomes({});
    }
    void operator()(SetMplsTtl&) {
        if (!is_mpls(packet_)) inconsistent();
    }
    void operator()(DecMplsTtl&) {
        if (!is_mpls(packet_)) inconsistent();
    }
    void operator()(CopyTtlOut&) {
        if (!is_mpls(packet_)) inconsistent();
    }
    void operator()(CopyTtlIn&) {
        if (!is_mpls(packet_)) inconsistent();
    }
    void operator()(DecTtl&) {
        if (!is_ip(packet_)) inconsistent();
    }
    void operator()(SetField& action) {
        if (action.spelled == SetField::Legacy && action.field->prereq == Prereq::Tcp) {
            transport_port(action);
            return;
        }
        const bool vlan = action.field->name == "vlan_vid";
        if (vlan ? !is_tagged(packet_) : !readable(*action.field)) inconsistent();
        if (action.field->name == "vlan_tci")
            std::memcpy(&packet_.eth.vlan[0].tci, action.value.data(), sizeof packet_.eth.vlan[0].tci);
    }
    void operator()(Move& action) {
        check(action.from);
        check(action.to);
    }
    void operator()(StackPush& action) { check(action.bits); }
    void operator()(StackPop& action) { check(action.bits); }
    void operator()(OutputReg& action) { check(action.port); }
    void operator()(Multipath& action) { check(action.to); }
    void operator()(Bundle& action) {
        if (action.spec->to.field) check(action.spec->to);
        for (const uint32_t port : action.spec->members)
            if (port == kPortController || (port >= kPort10Max && port < kPortInPort)) throw error::kActionOutPort;
    }
    void operator()(LearnAction& action) { check_learn(*action.learn); }
    void operator()(Clone& action) {
        FlowKey inside = packet_;
        Actions copy = *action.actions;
        check_actions(copy, inside, strict_ ? kOf13 : kOf10, false);
    }

private:
    void inconsistent() const {
        if (strict_) throw error::kMatchInconsistent;
    }
    void becomes(Be16 type) {
        packet_.eth.type = type;
        packet_.net = {};
        packet_.tp = {};
    }
    bool readable(const Field& field) const {
        if (field.name == "vlan_tci" || field.name == "vlan_vid") return true;  // zero where there is no tag
        return prereq_met(field, packet_);
    }
    void check(const Bits& bits) const {
        if (!readable(*bits.field)) throw error::kMatchInconsistent;
    }
    // mod_tp_src and mod_tp_dst name the port of the packet's own transport.
    void transport_port(SetField& action) {
        const bool source = action.field->name == "tcp_src";
        const uint8_t proto = packet_.net.proto;
        const char* name = proto == 6     ? (source ? "tcp_src" : "tcp_dst")
                           : proto == 17  ? (source ? "udp_src" : "udp_dst")
                           : proto == 132 ? (source ? "sctp_src" : "sctp_dst")
                                          : nullptr;
        if (name == nullptr || !prereq_met(*turnout::find_field(name), packet_))
            inconsistent();
        else
            action.field = turnout::find_field(name);
    }
    void check_learn(const Learn& learn) const {
        FlowKey learned{};  // as far as the learned match is known
        for (const Learn::Spec& spec : learn.specs) {
            if (spec.from_field) check(spec.from);
            if (spec.kind == Learn::Spec::Output) continue;
            auto* at = reinterpret_cast<uint8_t*>(&learned) + spec.to.field->offset;
            const Field& field = *spec.to.field;
            const bool free = field.name == "vlan_tci" || field.name == "vlan_vid";
            if (!free && !prereq_met(field, learned)) throw error::kMatchInconsistent;
            if (spec.kind == Learn::Spec::Match && !spec.from_field && spec.to.n <= 64) {
                uint64_t value = 0;
                for (const uint8_t byte : spec.immediate) value = value << 8 | byte;
                set_bits(at, field, spec.to.from, spec.to.n, value);
            }
        }
    }

    FlowKey& packet_;
    const bool strict_;
};

// OpenFlow 1.3.5, section 5.10, and what Open vSwitch lets in beside it.
bool fits_action_set(const Action& action) {
    return std::visit(
        []<typename A>(const A&) {
            return std::disjunction_v<std::is_same<A, Output>, std::is_same<A, OutputTrunc>, std::is_same<A, ToGroup>,
                                      std::is_same<A, SetQueue>, std::is_same<A, SetField>, std::is_same<A, Move>,
                                      std::is_same<A, SetVlanVid>, std::is_same<A, SetVlanPcp>,
                                      std::is_same<A, PushVlan>, std::is_same<A, PopVlan>, std::is_same<A, PushMpls>,
                                      std::is_same<A, PopMpls>, std::is_same<A, SetMplsTtl>,
                                      std::is_same<A, DecMplsTtl>, std::is_same<A, PushPbb>, std::is_same<A, PopPbb>,
                                      std::is_same<A, CopyTtlOut>, std::is_same<A, CopyTtlIn>, std::is_same<A, DecTtl>,
                                      std::is_same<A, Clone>>;
        },
        action.is);
}

}  // namespace

void check_actions(Actions& actions, FlowKey& packet, uint8_t version, bool action_set) {
    // What a set will meet is not known before the last table.
    Checker checker(packet, version != kOf10 && !action_set);
    bool conjunction = false, other = false;
    for (Action& action : actions) {
        if (action_set && !fits_action_set(action)) throw error::kActionType;
        std::visit(checker, action.is);
        if (std::holds_alternative<Conjunction>(action.is))
            conjunction = true;
        else
            other |= !std::holds_alternative<Note>(action.is);
    }
    if (conjunction && other) throw error::kBadConjunction;
}

}  // namespace turnout::of
