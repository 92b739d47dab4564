// SPDX-License-Identifier: Apache-2.0
// Any bytes as an OpenFlow message: each decoder returns or throws OfError, reads nothing outside of them, and what it
// returns is written and read again as the same.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "engine/openflow/codec.hpp"

namespace {

using namespace turnout;
using namespace turnout::of;

void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

Bytes instructions_of(const Wire& entry) {
    const size_t match = (be16(&entry[50]) + size_t{7}) / 8 * 8;
    return Bytes(entry).subspan(48 + match);
}

Wire written(uint8_t version, const Program& program) {
    Wire wire;
    encode_program(wire, version, program);
    return wire;
}

// What was read is written in every version; what the version can say is read back as the same.
void round_trip(const FlowMod& mod, const Program& program, uint8_t version) {
    FlowStats flow;
    flow.match = mod.match;
    flow.program = &program;
    for (const FlowFormat format : {FlowFormat::Of10, FlowFormat::Nxm}) {
        Wire entry;
        encode_flow_stats(entry, kOf10, format, flow);
        require(entry.size() >= 48 && (entry.size() > 0xffff || be16(&entry[0]) == entry.size()), "an entry's length");
    }
    Wire nxm;
    encode_match(nxm, kOf10, FlowFormat::Nxm, mod.match);
    require(decode_fields(nxm, true) == mod.match, "a match by NXM");

    Wire entry;
    encode_flow_stats(entry, kOf14, FlowFormat::Oxm, flow);
    if (entry.size() > 0xffff) return;
    if (version == kOf10) {
        // Nicira's write_metadata and resubmit read back as what they are, not as instructions.
        const Wire once = written(kOf10, program);
        require(written(kOf10, decode_program(once, kOf10, mod.match, kAllTables)) == once, "actions of 1.0");
    } else {
        const Program again = decode_program(instructions_of(entry), version, mod.match, kAllTables);
        require(written(version, again) == written(version, program), "instructions");
    }
}

void flow_mod(Bytes message) {
    const FlowMod mod = decode_flow_mod(message, message[7] & 1);
    require(matches(mod.match, mod.match.value), "a match's value lies in its mask");
    const Program program = decode_program(mod.instructions, message[0], mod.match, mod.table);
    round_trip(mod, program, message[0]);
}

void group_mod(Bytes message) {
    const GroupMod mod = decode_group_mod(message);
    Wire buckets;
    for (const uint8_t version : {kOf10, kOf13}) encode_buckets(buckets, version, mod.group);
}

void packet_out(Bytes message) {
    const PacketOut packet = decode_packet_out(message);
    PacketInFields up;
    up.key.arrival.in_port = Be32::of(packet.in_port);
    up.key.reg[3] = up.key.reg[5] = Be32::of(packet.in_port);
    up.frame = packet.frame;
    up.total_len = static_cast<uint32_t>(packet.frame.size());
    for (const auto format : {PacketInFormat::Standard, PacketInFormat::Nxt, PacketInFormat::Nxt2}) {
        Wire wire;
        encode_packet_in(wire, message[0], format, up);
    }
    Wire wire;
    for (const uint8_t version : {kOf10, kOf13}) encode_actions(wire, version, packet.actions);
}

template <typename Decode>
void attempt(Bytes message, Decode&& decode) {
    try {
        decode(message);
    } catch (const OfError& error) {
        Wire reply;
        encode_error(reply, message[0], 1, error, message);
        require(reply.size() == be16(&reply[2]), "an error's length");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    constexpr uint8_t kVersions[] = {kOf10, kOf13, kOf14};
    if (size < 8 || size > 0xffff) return 0;
    // A copy of its own, so that ASan sees each byte read beyond it.
    Wire message(data, data + size);
    message.shrink_to_fit();
    if (message[0] != kOf10 && message[0] != kOf13 && message[0] != kOf14) message[0] = kVersions[message[0] % 3];
    message[2] = static_cast<uint8_t>(size >> 8);
    message[3] = static_cast<uint8_t>(size);
    attempt(message, flow_mod);
    attempt(message, group_mod);
    attempt(message, packet_out);
    attempt(message, [](Bytes bytes) { decode_meter_mod(bytes); });
    attempt(message, [](Bytes bytes) { decode_flow_stats_request(bytes); });
    attempt(message, [](Bytes bytes) { decode_fields(bytes.subspan(8), bytes[7] & 1); });
    return 0;
}
