// SPDX-License-Identifier: Apache-2.0
// Packets from and to controllers: packet_out, packet_in and Nicira's two variants of the latter.
#include "engine/openflow/codec_parts.hpp"

namespace turnout::of {
namespace {

constexpr uint32_t kNxtPacketIn = 17, kNxtPacketIn2 = 30;
constexpr uint64_t kNoCookie = ~uint64_t{0};

// Why a packet goes up. 0 to 5 are OpenFlow 1.4's OFPR_*; 6: by a table-miss flow, 7: no flow at all.
enum : uint8_t {
    kNoMatch = 0,
    kAction = 1,
    kInvalidTtl = 2,
    kActionSet = 3,
    kGroup = 4,
    kPacketOut = 5,
    kExplicitMiss = 6,
    kImplicitMiss = 7
};

uint8_t reason_in(uint8_t version, uint8_t reason) {
    switch (reason) {
        case kActionSet:
        case kGroup:
        case kPacketOut:
            return version >= kOf14 ? reason : uint8_t{kAction};
        case kExplicitMiss:
            return version >= kOf13 ? kNoMatch : kAction;
        case kImplicitMiss:
            return kNoMatch;
        default:
            return reason;
    }
}

// What a packet carries beside its bytes: its port, and metadata, registers and tunnel where they are not zero.
Match pipeline_fields(const FlowKey& key) {
    Match match;
    for (const Field& field : fields()) {
        if (field.prereq != Prereq::Pushed || field.view || field.name == "conj_id") continue;
        const auto* from = reinterpret_cast<const uint8_t*>(&key) + field.offset;
        const bool zero = std::all_of(from, from + field.bytes, [](uint8_t byte) { return byte == 0; });
        const bool in_port = field.offset == offsetof(FlowKey, arrival.in_port);
        if (zero && !in_port) continue;
        if (field.name == "in_phy_port" && key.arrival.in_phy_port == key.arrival.in_port) continue;
        std::memcpy(reinterpret_cast<uint8_t*>(&match.value) + field.offset, from, field.bytes);
        std::memset(reinterpret_cast<uint8_t*>(&match.mask) + field.offset, 0xff, field.bytes);
    }
    return match;
}

size_t start_message(Wire& out, uint8_t version, uint8_t type) {
    const size_t start = out.size();
    put8(out, version);
    put8(out, type);
    put16(out, 0);
    put32(out, 0);
    return start;
}

size_t start_nicira_message(Wire& out, uint8_t version, uint32_t subtype) {
    const size_t start = start_message(out, version, 4);
    put32(out, kNiciraVendor);
    put32(out, subtype);
    return start;
}

// A property of packet_in2; its length leaves the padding out.
template <typename Body>
void put_property(Wire& out, uint16_t type, Body&& body) {
    const size_t start = out.size();
    put16(out, type);
    put16(out, 0);
    body();
    set16(out, start + 2, out.size() - start);
    pad8(out, start);
}

uint16_t total_len(const PacketInFields& packet) {
    return static_cast<uint16_t>(std::min<uint32_t>(packet.total_len, 0xffff));
}

void put_standard(Wire& out, uint8_t version, const PacketInFields& packet) {
    put32(out, packet.buffer);
    put16(out, total_len(packet));
    if (version == kOf10) {
        put16(out, port_to10(packet.key.arrival.in_port.host()));
        put8(out, reason_in(version, packet.reason));
        zeros(out, 1);
    } else {
        put8(out, reason_in(version, packet.reason));
        put8(out, packet.table);
        put64(out, packet.cookie);
        encode_match(out, version, FlowFormat::Oxm, pipeline_fields(packet.key));
        zeros(out, 2);
    }
    put(out, packet.frame);
}

void put_nxt(Wire& out, uint8_t version, const PacketInFields& packet) {
    put32(out, packet.buffer);
    put16(out, total_len(packet));
    put8(out, reason_in(version, packet.reason));
    put8(out, packet.table);
    put64(out, packet.cookie);
    const size_t length = out.size();
    zeros(out, 8);
    const size_t match = out.size();
    put_fields(out, FlowFormat::Nxm, pipeline_fields(packet.key));
    set16(out, length, out.size() - match);
    pad8(out, match);
    zeros(out, 2);
    put(out, packet.frame);
}

void put_nxt2(Wire& out, uint8_t version, const PacketInFields& packet) {
    put_property(out, 0, [&] { put(out, packet.frame); });
    if (packet.total_len != packet.frame.size()) put_property(out, 1, [&] { put32(out, packet.total_len); });
    if (packet.buffer != 0xffffffff) put_property(out, 2, [&] { put32(out, packet.buffer); });
    put_property(out, 3, [&] { put8(out, packet.table); });
    if (packet.cookie != kNoCookie)
        put_property(out, 4, [&] {
            zeros(out, 4);
            put64(out, packet.cookie);
        });
    put_property(out, 5, [&] { put8(out, reason_in(version, packet.reason)); });
    put_property(out, 6, [&] { put_fields(out, FlowFormat::Oxm, pipeline_fields(packet.key)); });
    if (packet.userdata && !packet.userdata->empty()) put_property(out, 7, [&] { put(out, *packet.userdata); });
}

}  // namespace

PacketOut decode_packet_out(Bytes message) {
    Reader in(message, error::kRequestLen);
    const uint8_t version = in.u8();
    in.skip(7);
    PacketOut packet;
    packet.buffer = in.u32();
    packet.in_port = version == kOf10 ? port_from10(in.u16()) : port_from13(in.u32(), error::kRequestPort);
    const bool reserved = packet.in_port >= kPort10Max;
    if (reserved && packet.in_port != kPortLocal && packet.in_port != kPortController && packet.in_port != kPortAny)
        throw error::kRequestPort;
    const uint16_t length = in.u16();
    if (version != kOf10) in.skip(6);
    if (length % 8 != 0) throw error::kRequestLen;
    const Bytes actions = in.take(length);
    packet.frame = packet.buffer == 0xffffffff ? in.rest() : Bytes{};
    if (!packet.frame.empty() && packet.frame.size() < kEtherHeader) throw error::kRequestPacket;
    packet.actions = ActionReader{version}.list(actions);

    FlowKey key{};
    Layers layers;
    parse(packet.frame, static_cast<uint32_t>(packet.frame.size()), Depth::L4, key, layers);
    check_actions(packet.actions, key, version, false);
    return packet;
}

void encode_packet_in(Wire& out, uint8_t version, PacketInFormat format, const PacketInFields& packet) {
    const size_t start = format == PacketInFormat::Standard ? start_message(out, version, 10)
                         : format == PacketInFormat::Nxt    ? start_nicira_message(out, version, kNxtPacketIn)
                                                            : start_nicira_message(out, version, kNxtPacketIn2);
    switch (format) {
        case PacketInFormat::Standard:
            put_standard(out, version, packet);
            break;
        case PacketInFormat::Nxt:
            put_nxt(out, version, packet);
            break;
        case PacketInFormat::Nxt2:
            put_nxt2(out, version, packet);
            break;
    }
    set16(out, start + 2, out.size() - start);
}

}  // namespace turnout::of
