// SPDX-License-Identifier: Apache-2.0
// The codec: OpenFlow 1.0, 1.3 and 1.4 messages with matches or actions in them, and Nicira's extensions of them, from
// wire bytes to version-free structs and back. No state, no I/O.
//
// In:  bytes of one whole message, header included, whose length field is right. Out: a struct, or OfError with the
// type and code that the standard names. Every length is checked against what is left; every loop consumes bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/openflow/action.hpp"
#include "engine/openflow/pipeline.hpp"
#include "engine/openflow/wire.hpp"

namespace turnout::of {

enum WireVersion : uint8_t { kOf10 = 1, kOf13 = 4, kOf14 = 5 };

// How flows are written to a controller: OpenFlow 1.0's fixed match, Nicira's NXM messages, or OXM (1.3, 1.4).
enum class FlowFormat : uint8_t { Of10, Of10TableId, Nxm, NxmTableId, Oxm };
enum class PacketInFormat : uint8_t { Standard, Nxt, Nxt2 };

struct Header {
    uint8_t version, type;
    uint16_t length;
    uint32_t xid;
};

struct FlowMod {
    enum Command : uint8_t { Add, Modify, ModifyStrict, Delete, DeleteStrict } command = Add;
    uint8_t table = 0;  // kAllTables: all (delete), or the switch's choice, i.e. 0 (add)
    Match match;
    uint16_t priority = 0x8000;
    uint64_t cookie = 0, cookie_mask = 0;  // which flows a modify or delete is for
    uint64_t new_cookie = 0;               // what an add, or a modify in 1.0 and NXM, gives (`cookie` too, if no mask)
    bool keeps_cookie = false;             // a modify that leaves the cookie alone
    uint16_t idle = 0, hard = 0, importance = 0;
    uint32_t buffer = 0xffffffff, out_port = kPortAny, out_group = kAnyGroup;
    enum : uint16_t {
        kSendRemoved = 1,
        kCheckOverlap = 2,
        kResetCounts = 4,
        kNoPacketCounts = 8,
        kNoByteCounts = 16,
        kEmergency = 32
    };
    uint16_t flags = 0;
    Bytes instructions;  // still on the wire (1.0: actions); decode_program() reads them
};

struct PacketOut {
    uint32_t buffer = 0xffffffff, in_port = kPortController;
    FlowKey pipeline{};  // metadata, registers, tunnel (Nicira's packet_out2 and 1.5); zero otherwise
    Actions actions;
    Bytes frame;
};

struct GroupMod {
    enum Command : uint8_t { Add, Modify, Delete, AddOrModify, InsertBucket, RemoveBucket } command;
    Group group;                      // tallies are not filled in
    uint32_t bucket_id = 0xffffffff;  // of Insert/RemoveBucket: 0xfffffffd first, …fe last, …ff all
};

struct MeterMod {
    enum Command : uint8_t { Add, Modify, Delete } command;
    uint32_t id;
    MeterConfig config;
};

struct FlowStatsRequest {
    uint8_t table = kAllTables;
    uint32_t out_port = kPortAny, out_group = kAnyGroup;
    uint64_t cookie = 0, cookie_mask = 0;
    Match match;
};

// A flow in a reply, a flow-removed or a monitor update.
struct FlowStats {
    Match match;
    const Program* program = nullptr;
    uint64_t cookie = 0, packets = 0, bytes = 0, age_ns = 0;
    uint32_t idle_age = 0, hard_age = 0;  // [s] since last used, since last modified
    uint16_t priority = 0, idle = 0, hard = 0, importance = 0, flags = 0;
    uint8_t table = 0, reason = 0;  // reason: OFPRR_*, of a flow-removed
};

struct PacketInFields {
    FlowKey key{};  // in_port, metadata, registers and tunnel of the packet
    uint64_t cookie = ~uint64_t{0};
    uint32_t total_len = 0, buffer = 0xffffffff;
    uint8_t reason = 0, table = 0;  // reason as Open vSwitch counts them internally: see codec_packet.cpp
    const std::vector<uint8_t>* userdata = nullptr;
    Bytes frame;  // already cut to max_len
};

std::optional<Header> peek(Bytes data);  // nullopt: fewer than 8 bytes

// OFPT_FLOW_MOD, NXT_FLOW_MOD. `table_id`: the session has switched on Nicira's flow_mod_table_id (Of10TableId,
// NxmTableId), which puts the table in the command's upper byte.
FlowMod decode_flow_mod(Bytes message, bool table_id = false);
// The instructions of 1.3/1.4, or the actions of 1.0 and Nicira's (whose version is kOf10). Checks what can be checked
// without tables: lengths, fields' prerequisites against `match`, order of instructions, action arguments.
Program decode_program(Bytes wire, uint8_t version, const Match& match, uint8_t table);
PacketOut decode_packet_out(Bytes message);
GroupMod decode_group_mod(Bytes message);
MeterMod decode_meter_mod(Bytes message);
FlowStatsRequest decode_flow_stats_request(Bytes message);  // flow and aggregate; 1.0, NXM, 1.3, 1.4 multipart

void encode_error(Wire& out, uint8_t version, uint32_t xid, const OfError& error,
                  Bytes about);  // about: quoted, as far as a message has room
// One flow as an entry of a stats reply's body in this version and format.
void encode_flow_stats(Wire& body, uint8_t version, FlowFormat format, const FlowStats& flow);
void encode_flow_removed(Wire& out, uint8_t version, FlowFormat format, uint32_t xid, const FlowStats& flow);
void encode_packet_in(Wire& out, uint8_t version, PacketInFormat format, const PacketInFields& packet);
void encode_actions(Wire& out, uint8_t version, const Actions& actions);
void encode_program(Wire& out, uint8_t version, const Program& program);  // instructions, or actions in 1.0
void encode_match(Wire& out, uint8_t version, FlowFormat format,
                  const Match& match);  // with OXM's header and padding; NXM: bare
void encode_buckets(Wire& out, uint8_t version, const Group& group);
// NXM/OXM entries without a header (NXM match fields, flow monitor requests, packet metadata).
Match decode_fields(Bytes entries, bool strict);

}  // namespace turnout::of
