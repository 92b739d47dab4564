// SPDX-License-Identifier: Apache-2.0
// learn(): a packet makes, renews or changes a flow (NXAST_LEARN in ovs-actions(7)).
#include <cstring>
#include <optional>
#include <utility>

#include "engine/act/bits.hpp"
#include "engine/openflow/tables_impl.hpp"

namespace turnout::of {
namespace {

constexpr uint16_t kSendRemoved = 1;  // Learn::flags: NX_LEARN_F_SEND_FLOW_REM
constexpr uint8_t kLearnedKey = 0;    // in place of the version, in keys of programs that never were on the wire

Wide value_of(const Learn::Spec& spec, const FlowKey& key) {
    if (spec.from_field) return read_bits(spec.from, key);
    Wide value = 0;
    for (const uint8_t byte : spec.immediate) value = value << 8 | byte;
    return value;
}

SetField load_bits(const Bits& to, Wide value) {
    FlowKey values{}, mask{};
    write_bits(to, value, values);
    write_bits(to, ~Wide{0}, mask);
    SetField set{to.field, {}, {}, SetField::Load};
    std::memcpy(set.value.data(), reinterpret_cast<const uint8_t*>(&values) + to.field->offset, to.field->bytes);
    std::memcpy(set.mask.data(), reinterpret_cast<const uint8_t*>(&mask) + to.field->offset, to.field->bytes);
    return set;
}

// The port that a field names; one of 16 bits names reserved ports as OpenFlow 1.0 does. Nothing: not one to send to.
std::optional<uint32_t> port_of(Wide value, unsigned bits) {
    if (value > UINT32_MAX) return {};
    auto port = static_cast<uint32_t>(value);
    if (bits <= 16) port = port_from10(static_cast<uint16_t>(port));
    const bool reserved = port == kPortInPort || port == kPortFlood || port == kPortLocal || port == kPortAll;
    if (!reserved && port >= kPort10Max) return {};
    return port;
}

struct Learned {
    Match match;
    Actions actions;
};

Learned make(const Learn& learn, const FlowKey& key) {
    Learned made;
    if (learn.fin_idle || learn.fin_hard) made.actions.push_back({FinTimeout{learn.fin_idle, learn.fin_hard}});
    for (const Learn::Spec& spec : learn.specs) {
        const Wide value = value_of(spec, key);
        if (spec.kind == Learn::Spec::Match) {
            write_bits(spec.to, value, made.match.value);
            write_bits(spec.to, ~Wide{0}, made.match.mask);
        } else if (spec.kind == Learn::Spec::Load) {
            made.actions.push_back({load_bits(spec.to, value)});
        } else if (const auto port = port_of(value, spec.from.n)) {
            made.actions.push_back({Output{*port, 0}});
        }
    }
    return made;
}

}  // namespace

void Tables::Impl::learn(const Learn& learn, const FlowKey& key) {
    if (learn.table >= kTables) return;
    now = host.now_ns();
    Learned made = make(learn, key);
    Program acts;
    acts.apply = std::move(made.actions);
    Wire wire{kLearnedKey};
    encode_program(wire, kOf13, acts);
    auto program = programs.share(std::move(acts), {wire.begin(), wire.end()});

    const auto flags = static_cast<uint16_t>(learn.flags & kSendRemoved ? FlowMod::kSendRemoved : 0);
    const Rule* known = pipeline.tables[learn.table]->find(made.match, learn.priority, next());
    if (!known) {
        const NewFlow what{learn.table, learn.priority, learn.cookie, learn.idle, learn.hard, 0, flags};
        try {
            add_flow(made.match, what, std::move(program), true, {});
        } catch (const OfError&) {
            return;  // the table is full: a packet has nobody to tell
        }
    } else {
        FlowMod again;
        again.new_cookie = learn.cookie;
        again.keeps_cookie = learn.cookie == ~uint64_t{0};
        modify_flow(*known->flow, std::move(program), again, {});
    }
    forget_learned({.reason = kDelete});
    publish();
}

}  // namespace turnout::of
