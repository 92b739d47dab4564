// SPDX-License-Identifier: Apache-2.0
// A flow's instructions (OpenFlow 1.3.5, section 7.2.4), or OpenFlow 1.0's actions in their place.
#include "engine/openflow/codec_parts.hpp"

namespace turnout::of {
namespace {

enum Instruction : uint16_t {
    kGotoTable = 1,
    kWriteMetadata = 2,
    kWriteActions = 3,
    kApplyActions = 4,
    kClearActions = 5,
    kMeter = 6,
    kExperimenter = 0xffff,
};

void pull_instruction(uint16_t type, Reader in, uint8_t version, Program& program) {
    const auto length = [&](size_t n) {
        if (in.left() != n) throw error::kInstLen;
    };
    ActionReader actions{version};
    switch (type) {
        case kGotoTable:
            length(4);
            program.has_goto = true;
            program.goto_table = in.u8();
            return;
        case kWriteMetadata:
            length(20);
            in.skip(4);
            program.has_metadata = true;
            program.metadata = Be64::of(in.u64());
            program.metadata_mask = Be64::of(in.u64());
            program.metadata.raw &= program.metadata_mask.raw;
            return;
        case kWriteActions:
            in.skip(4);
            program.has_write = true;
            program.write = actions.list(in.rest());
            return;
        case kApplyActions:
            in.skip(4);
            program.apply = actions.list(in.rest());
            return;
        case kClearActions:
            length(4);
            program.clear = true;
            return;
        case kMeter:
            length(4);
            program.meter = in.u32();
            if (program.meter == 0 || program.meter > 0xffff0000) throw error::kInvalidMeter;
            return;
        case kExperimenter:
            throw error::kInstVendor;
        default:
            throw error::kUnknownInst;
    }
}

size_t start(Wire& out, Instruction type) {
    const size_t at = out.size();
    put16(out, type);
    zeros(out, 6);
    return at;
}

void put_list(Wire& out, Instruction type, uint8_t version, const Actions& actions) {
    const size_t at = start(out, type);
    encode_actions(out, version, actions);
    set16(out, at + 2, out.size() - at);
}

}  // namespace

Program decode_program(Bytes wire, uint8_t version, const Match& match, uint8_t table) {
    Program program;
    if (version == kOf10) {
        program.apply = ActionReader{version, &program}.list(wire);
    } else {
        unsigned seen = 0;
        while (!wire.empty()) {
            if (wire.size() < 8) throw error::kInstLen;
            const uint16_t type = be16(wire.data()), length = be16(wire.data() + 2);
            if (length < 8 || length % 8 != 0 || length > wire.size()) throw error::kInstLen;
            if (type <= kMeter && seen & 1u << type) throw error::kDupInst;
            if (type <= kMeter) seen |= 1u << type;
            pull_instruction(type, Reader(wire.subspan(4, length - size_t{4}), error::kInstLen), version, program);
            wire = wire.subspan(length);
        }
    }
    FlowKey packet = match.value;
    check_actions(program.apply, packet, version, false);
    check_actions(program.write, packet, version, true);
    if (program.has_goto && ((table != kAllTables && program.goto_table <= table) || program.goto_table >= kTables))
        throw error::kInstTable;
    return program;
}

void encode_program(Wire& out, uint8_t version, const Program& program) {
    if (version == kOf10) {
        encode_actions(out, version, program.apply);
        if (program.has_metadata) {
            const size_t at = start_nicira(out, 22);
            zeros(out, 6);
            put64(out, program.metadata.host());
            put64(out, program.metadata_mask.host());
            end_action(out, at);
        }
        if (program.has_goto) put_nicira(out, version, {Resubmit{kPortInPort, program.goto_table, true}});
        return;
    }
    if (program.meter) {
        put32(out, kMeter << 16 | 8);
        put32(out, program.meter);
    }
    if (!program.apply.empty()) put_list(out, kApplyActions, version, program.apply);
    if (program.clear) set16(out, start(out, kClearActions) + 2, 8);
    if (program.has_write) put_list(out, kWriteActions, version, program.write);
    if (program.has_metadata) {
        const size_t at = start(out, kWriteMetadata);
        set16(out, at + 2, 24);
        put64(out, program.metadata.host());
        put64(out, program.metadata_mask.host());
    }
    if (program.has_goto) {
        const size_t at = start(out, kGotoTable);
        set16(out, at + 2, 8);
        out[at + 4] = program.goto_table;
    }
}

}  // namespace turnout::of
