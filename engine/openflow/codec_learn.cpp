// SPDX-License-Identifier: Apache-2.0
// NXAST_LEARN's flow_mod_specs (nicira-ext, "learn"): which fields of the packet go where in the flow that it makes.
#include "engine/openflow/codec_parts.hpp"

namespace turnout::of {
namespace {

// A spec's first 16 bits: the width 11 bits, what it makes 2 bits, where from 1 bit. All zero: padding.
constexpr uint16_t kBits = 0x3ff, kImmediate = 1 << 13, kKindShift = 11, kKind = 3, kUnknown = 0xc400;
constexpr uint16_t kSendRemoved = 1, kDeleteLearned = 2;

Bits pull_bits(Reader& in, unsigned n) {
    const Field* field = pull_header(in);
    return to_bits(field, in.u16(), n);
}

void put_bits(Wire& out, const Bits& bits) {
    put_bits_header(out, bits);
    put16(out, bits.from);
}

Learn::Spec pull_spec(Reader& in, uint16_t header) {
    Learn::Spec spec{};
    const unsigned n = header & kBits, kind = header >> kKindShift & kKind;
    if (kind == kKind || (header & kUnknown) || n == 0) throw error::kActionArgument;
    spec.kind = static_cast<Learn::Spec::Kind>(kind);
    spec.from_field = !(header & kImmediate);
    if (spec.from_field) {
        spec.from = pull_bits(in, n);
    } else {
        const Bytes bytes = in.take((n + 15) / 16 * 2);
        spec.immediate.assign(bytes.begin(), bytes.end());
    }
    spec.to = {nullptr, 0, static_cast<uint16_t>(n)};
    if (spec.kind != Learn::Spec::Output) spec.to = pull_bits(in, n);
    if (spec.kind == Learn::Spec::Load && !spec.to.field->writable) throw error::kSetArgument;
    return spec;
}

}  // namespace

std::shared_ptr<const Learn> pull_learn(Reader in) {
    auto learn = std::make_shared<Learn>();
    learn->idle = in.u16();
    learn->hard = in.u16();
    learn->priority = in.u16();
    learn->cookie = in.u64();
    learn->flags = in.u16();
    learn->table = in.u8();
    const uint8_t pad = in.u8();
    learn->fin_idle = in.u16();
    learn->fin_hard = in.u16();
    if (pad != 0 || learn->table == kAllTables || (learn->flags & ~(kSendRemoved | kDeleteLearned)))
        throw error::kActionArgument;
    while (in.left() >= 2) {
        const uint16_t header = in.u16();
        if (header == 0) break;
        learn->specs.push_back(pull_spec(in, header));
    }
    if (!in.zeros()) throw error::kActionArgument;
    return learn;
}

void put_learn(Wire& out, const Learn& learn) {
    const size_t start = start_nicira(out, 16);
    put16(out, learn.idle);
    put16(out, learn.hard);
    put16(out, learn.priority);
    put64(out, learn.cookie);
    put16(out, learn.flags);
    put8(out, learn.table);
    zeros(out, 1);
    put16(out, learn.fin_idle);
    put16(out, learn.fin_hard);
    for (const Learn::Spec& spec : learn.specs) {
        put16(out, static_cast<uint16_t>(spec.to.n | spec.kind << kKindShift | (spec.from_field ? 0 : kImmediate)));
        if (spec.from_field)
            put_bits(out, spec.from);
        else
            put(out, spec.immediate);
        if (spec.kind != Learn::Spec::Output) put_bits(out, spec.to);
    }
    end_action(out, start);
}

}  // namespace turnout::of
