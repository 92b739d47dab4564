// SPDX-License-Identifier: Apache-2.0
// Flow messages: flow_mod, flow and aggregate statistics requests, entries of flow statistics, flow_removed.
#include "engine/openflow/codec_parts.hpp"

namespace turnout::of {
namespace {

constexpr size_t kHeader = 8;
constexpr uint16_t kSend = FlowMod::kSendRemoved, kOverlapFlag = FlowMod::kCheckOverlap;
constexpr uint16_t kFlags13 = 31, kFlags10 = 7, kEmergency10 = 4;
constexpr uint32_t kNxtFlowMod = 13, kNxtFlowRemoved = 14;

FlowMod::Command command_of(unsigned command) {
    if (command > FlowMod::DeleteStrict) throw error::kFlowCommand;
    return static_cast<FlowMod::Command>(command);
}

void set_command10(FlowMod& mod, uint16_t raw, bool table_id) {
    mod.command = command_of(table_id ? raw & 0xffu : raw);
    mod.table = table_id ? static_cast<uint8_t>(raw >> 8) : kAllTables;
}

uint16_t flags10(uint16_t flags, const FlowMod& mod) {
    if (flags & ~kFlags10) throw error::kFlowFlags;
    // There is no emergency table, which OpenFlow 1.0.1 does not ask for; Open vSwitch says so with these errors.
    if (flags & kEmergency10) throw mod.idle || mod.hard ? error::kEmergencyTimeout : error::kTableFull;
    flags &= kSend | kOverlapFlag;
    // An add of OpenFlow 1.0 resets the counters of the flow that it replaces.
    return static_cast<uint16_t>(flags | (mod.command == FlowMod::Add ? FlowMod::kResetCounts : 0));
}

void decode10(Reader in, FlowMod& mod, bool table_id) {
    pull_match10(in.take(kMatch10).data(), mod.match);
    mod.new_cookie = mod.cookie = in.u64();
    set_command10(mod, in.u16(), table_id);
    mod.idle = in.u16();
    mod.hard = in.u16();
    mod.priority = in.u16();
    mod.buffer = in.u32();
    mod.out_port = port_from10(in.u16());
    mod.flags = flags10(in.u16(), mod);
    mod.instructions = in.rest();
}

void decode_nxm(Reader in, FlowMod& mod, bool table_id) {
    mod.new_cookie = in.u64();
    const uint16_t command = in.u16();
    mod.idle = in.u16();
    mod.hard = in.u16();
    mod.priority = in.u16();
    mod.buffer = in.u32();
    mod.out_port = port_from10(in.u16());
    const uint16_t flags = in.u16(), match_len = in.u16();
    in.skip(6);
    Cookie cookie;
    pull_nxm_match(in, match_len, mod.match, cookie);
    set_command10(mod, command, table_id);
    mod.flags = flags10(flags, mod);
    if (mod.command == FlowMod::Add && cookie.mask) throw error::kNxmInvalid;
    mod.cookie = cookie.mask ? cookie.value : mod.new_cookie;
    mod.cookie_mask = cookie.mask;
    mod.keeps_cookie = mod.new_cookie == ~uint64_t{0};
    mod.instructions = in.rest();
}

void decode13(Reader in, FlowMod& mod, uint8_t version) {
    mod.cookie = in.u64();
    mod.cookie_mask = in.u64();
    mod.table = in.u8();
    const uint8_t command = in.u8();
    mod.idle = in.u16();
    mod.hard = in.u16();
    mod.priority = in.u16();
    mod.buffer = in.u32();
    const uint32_t port = in.u32();
    mod.out_group = in.u32();
    mod.flags = in.u16();
    const uint16_t importance = in.u16();
    if (version >= kOf14) mod.importance = importance;
    pull_oxm_match(in, mod.match);
    mod.command = command_of(command);
    mod.out_port = port_from13(port, error::kActionOutPort);
    if (mod.flags & ~kFlags13) throw error::kFlowFlags;
    mod.new_cookie = mod.cookie;
    mod.keeps_cookie = mod.command != FlowMod::Add;
    if (mod.command == FlowMod::Add) mod.cookie_mask = 0;
    if (mod.cookie_mask) mod.cookie &= mod.cookie_mask;
    if (mod.command != FlowMod::Delete && mod.command != FlowMod::DeleteStrict) {
        if (mod.table == kAllTables) throw error::kFlowTable;
        mod.out_port = kPortAny;
        mod.out_group = kAnyGroup;
    }
    mod.instructions = in.rest();
}

FlowStatsRequest request10(Reader in) {
    FlowStatsRequest request;
    pull_match10(in.take(kMatch10).data(), request.match);
    request.table = in.u8();
    in.skip(1);
    request.out_port = port_from10(in.u16());
    if (in.left() != 0) throw error::kRequestLen;
    return request;
}

FlowStatsRequest request_nxm(Reader in) {
    FlowStatsRequest request;
    request.out_port = port_from10(in.u16());
    const uint16_t match_len = in.u16();
    request.table = in.u8();
    in.skip(3);
    Cookie cookie;
    pull_nxm_match(in, match_len, request.match, cookie);
    if (in.left() != 0) throw error::kRequestLen;
    request.cookie = cookie.value;
    request.cookie_mask = cookie.mask;
    return request;
}

FlowStatsRequest request13(Reader in) {
    FlowStatsRequest request;
    request.table = in.u8();
    in.skip(3);
    request.out_port = port_from13(in.u32(), error::kActionOutPort);
    request.out_group = in.u32();
    in.skip(4);
    request.cookie = in.u64();
    request.cookie_mask = in.u64();
    request.cookie &= request.cookie_mask;
    pull_oxm_match(in, request.match);
    if (in.left() != 0) throw error::kRequestLen;
    return request;
}

uint16_t age_plus_1(uint32_t age) { return static_cast<uint16_t>(age >= 0xffff ? 0xffff : age + 1); }

void put_age(Wire& out, uint64_t age_ns) {
    put32(out, static_cast<uint32_t>(age_ns / 1'000'000'000));
    put32(out, static_cast<uint32_t>(age_ns % 1'000'000'000));
}

// A reason that the version lacks is "deleted".
uint8_t removed_reason(uint8_t version, uint8_t reason) { return reason > (version >= kOf14 ? 5 : 3) ? 2 : reason; }

size_t start_message(Wire& out, uint8_t version, uint8_t type, uint32_t xid) {
    const size_t start = out.size();
    put8(out, version);
    put8(out, type);
    put16(out, 0);
    put32(out, xid);
    return start;
}

}  // namespace

FlowMod decode_flow_mod(Bytes message, bool table_id) {
    FlowMod mod;
    Reader in(message, error::kRequestLen);
    if (message.size() % 8 != 0) throw error::kRequestLen;
    const uint8_t version = in.u8(), type = in.u8();
    in.skip(kHeader - 2);
    if (version == kOf10 && type == 4) {
        if (in.u32() != kNiciraVendor) throw error::kRequestVendor;
        if (in.u32() != kNxtFlowMod) throw error::kRequestSubtype;
        decode_nxm(in, mod, table_id);
    } else if (type != 14) {
        throw error::kRequestType;
    } else if (version == kOf10) {
        decode10(in, mod, table_id);
    } else {
        decode13(in, mod, version);
    }
    return mod;
}

FlowStatsRequest decode_flow_stats_request(Bytes message) {
    Reader in(message, error::kRequestLen);
    const uint8_t version = in.u8();
    in.skip(kHeader - 1);
    const uint16_t type = in.u16();
    in.skip(2);
    if (version != kOf10) {
        in.skip(4);
        return request13(in);
    }
    if (type != 0xffff) return request10(in);
    if (in.u32() != kNiciraVendor) throw error::kRequestVendor;
    if (in.u32() > 1) throw error::kRequestSubtype;
    in.skip(4);
    return request_nxm(in);
}

void encode_flow_stats(Wire& body, uint8_t version, FlowFormat format, const FlowStats& flow) {
    const size_t start = body.size();
    const bool nxm = format == FlowFormat::Nxm || format == FlowFormat::NxmTableId;
    put16(body, 0);
    put8(body, flow.table);
    zeros(body, 1);
    if (version == kOf10 && !nxm) put_match10(body, flow.match);
    put_age(body, flow.age_ns);
    put16(body, flow.priority);
    put16(body, flow.idle);
    put16(body, flow.hard);
    size_t match_len = 0;
    if (version != kOf10) {
        put16(body, flow.flags);
        put16(body, version >= kOf14 ? flow.importance : 0);
        zeros(body, 2);
    } else if (nxm) {
        match_len = body.size();
        zeros(body, 2);
        put16(body, age_plus_1(flow.idle_age));
        put16(body, age_plus_1(flow.hard_age));
    } else {
        zeros(body, 6);
    }
    put64(body, flow.cookie);
    put64(body, flow.packets);
    put64(body, flow.bytes);
    if (version != kOf10) {
        encode_match(body, version, FlowFormat::Oxm, flow.match);
    } else if (nxm) {
        const size_t match = body.size();
        put_fields(body, format, flow.match);
        set16(body, match_len, body.size() - match);
        pad8(body, match);
    }
    if (flow.program) encode_program(body, version, *flow.program);
    set16(body, start, body.size() - start);
}

void encode_flow_removed(Wire& out, uint8_t version, FlowFormat format, uint32_t xid, const FlowStats& flow) {
    const bool nxm = version == kOf10 && (format == FlowFormat::Nxm || format == FlowFormat::NxmTableId);
    const size_t start = start_message(out, version, nxm ? 4 : 11, xid);
    if (nxm) {
        put32(out, kNiciraVendor);
        put32(out, kNxtFlowRemoved);
    } else if (version == kOf10) {
        put_match10(out, flow.match);
    }
    put64(out, flow.cookie);
    put16(out, flow.priority);
    put8(out, removed_reason(version, flow.reason));
    put8(out, nxm ? static_cast<uint8_t>(flow.table + 1) : version == kOf10 ? 0 : flow.table);
    put_age(out, flow.age_ns);
    put16(out, flow.idle);
    const size_t last = out.size();
    put16(out, version == kOf10 ? 0 : flow.hard);
    put64(out, flow.packets);
    put64(out, flow.bytes);
    if (nxm) {
        const size_t match = out.size();
        put_fields(out, format, flow.match);
        set16(out, last, out.size() - match);
        pad8(out, match);
    } else if (version != kOf10) {
        encode_match(out, version, FlowFormat::Oxm, flow.match);
    }
    set16(out, start + 2, out.size() - start);
}

}  // namespace turnout::of
