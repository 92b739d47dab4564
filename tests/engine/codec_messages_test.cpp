// SPDX-License-Identifier: Apache-2.0
// Messages as peers sent them, and cut short, and with lengths that lie: a result or an OfError, no byte beyond read
// (AddressSanitizer sees to that), and packets, groups and meters in detail.
#include <doctest/doctest.h>

#include <set>

#include "tests/engine/codec_data.hpp"

namespace turnout::test {
namespace {

using namespace of;

enum class Kind { FlowMod, PacketOut, GroupMod, MeterMod, FlowStats, Other };

Kind kind_of(const Wire& message) {
    const uint8_t version = message[0], type = message[1];
    const auto subtype = [&](size_t at) { return message.size() >= at + 4 ? be32(&message[at]) : 0; };
    if (type == 14) return Kind::FlowMod;
    if (type == 13) return Kind::PacketOut;
    if (type == 4) return subtype(12) == 13 ? Kind::FlowMod : subtype(12) == 31 ? Kind::GroupMod : Kind::Other;
    if (version == kOf10)
        return type == 16 && (be16(&message[8]) == 1 || be16(&message[8]) == 2 || be16(&message[8]) == 0xffff)
                   ? Kind::FlowStats
                   : Kind::Other;
    if (type == 15) return Kind::GroupMod;
    if (type == 29) return Kind::MeterMod;
    return type == 18 && (be16(&message[8]) == 1 || be16(&message[8]) == 2) ? Kind::FlowStats : Kind::Other;
}

// A copy on the heap of just the bytes, so that a read beyond them is seen.
void decode(const Wire& message, Kind kind) {
    const Wire own(message.begin(), message.end());
    switch (kind) {
        case Kind::FlowMod: {
            const FlowMod mod = decode_flow_mod(own, true);
            decode_program(mod.instructions, own[0], mod.match, mod.table);
            return;
        }
        case Kind::PacketOut:
            decode_packet_out(own);
            return;
        case Kind::GroupMod:
            decode_group_mod(own);
            return;
        case Kind::MeterMod:
            decode_meter_mod(own);
            return;
        default:
            decode_flow_stats_request(own);
    }
}

bool decodes(const Wire& message, Kind kind) {
    try {
        decode(message, kind);
        return true;
    } catch (const OfError&) {
        return false;
    }
}

bool contains(const Wire& message, const char* hex) { return to_hex(message).find(hex) != std::string::npos; }

// Connection tracking, tunnel options and packet length checks are Open vSwitch's; this switch refuses them.
bool is_beyond(const Wire& message) {
    return contains(message, "0001d308") || contains(message, "00015102") || contains(message, "00002320002b") ||
           contains(message, "000023200031");
}

TEST_CASE("codec: every message of the collection is read") {
    std::set<Kind> seen;
    for (const Wire& message : messages_to_switch()) {
        const Kind kind = kind_of(message);
        if (kind == Kind::Other) continue;
        seen.insert(kind);
        CAPTURE(to_hex(message));
        CHECK(decodes(message, kind) == !is_beyond(message));
    }
    CHECK(seen.size() == 5);
}

TEST_CASE("codec: each truncation of each message gives an error or a sound result") {
    for (const Wire& message : messages_to_switch()) {
        const Kind kind = kind_of(message);
        if (kind == Kind::Other) continue;
        for (size_t n = 8; n < message.size(); n++)
            decodes(sized(Wire(message.begin(), message.begin() + static_cast<long>(n))), kind);
    }
}

TEST_CASE("codec: lengths that lie give an error or a sound result") {
    for (const Wire& message : messages_to_switch()) {
        const Kind kind = kind_of(message);
        if (kind == Kind::Other) continue;
        for (size_t at = 8; at + 2 <= message.size(); at++) {
            const uint16_t is = be16(&message[at]);
            for (const int lie : {0, 1, 4, 7, 8, is - 1, is + 1, is - 8, is + 8, 0x7fff, 0xffff}) {
                Wire changed = message;
                set16(changed, at, static_cast<uint16_t>(lie));
                decodes(changed, kind);
            }
        }
    }
}

TEST_CASE("codec: packet_out") {
    const PacketOut of10 = decode_packet_out(
        from_hex("010d0042 00000006 ffffffff 0001 0008 0000000800020000"
                 "ffffffffffff02000000000108060001080006040001020000000001 00000000ffffffffffff0a000002"));
    CHECK(of10.in_port == 1);
    CHECK(of10.actions.size() == 1);
    CHECK(of10.frame.size() == 42);
    const PacketOut controller = decode_packet_out(from_hex("040d0018 00000006 ffffffff fffffffd 0000 000000000000"));
    CHECK(controller.in_port == kPortController);
    CHECK(controller.frame.empty());
    // A buffer's packet is not in the message.
    CHECK(decode_packet_out(from_hex("040d001a 00000006 00000001 fffffffd 0000 000000000000 abcd")).frame.empty());
}

TEST_CASE("codec: packet_in in its three formats") {
    const Wire frame = from_hex("ffffffffffff0200000000010806");
    PacketInFields packet;
    packet.key.arrival.in_port = Be32::of(3);
    packet.key.arrival.in_phy_port = Be32::of(3);
    packet.key.reg[1] = Be32::of(5);
    packet.cookie = 0x77;
    packet.total_len = 60;
    packet.table = 4;
    packet.reason = 7;  // no flow matched
    packet.frame = frame;
    const auto encoded = [&](uint8_t version, PacketInFormat format) {
        Wire wire;
        encode_packet_in(wire, version, format, packet);
        CHECK(be16(&wire[2]) == wire.size());
        return to_hex(wire);
    };
    const auto hex = [](const std::string& text) { return to_hex(from_hex(text)); };
    const std::string data = "ffffffffffff0200000000010806";
    CHECK(encoded(kOf10, PacketInFormat::Standard) == hex("010a0020 00000000 ffffffff 003c 0003 00 00" + data));
    CHECK(encoded(kOf13, PacketInFormat::Standard) == hex("040a0040 00000000 ffffffff 003c 00 04 0000000000000077"
                                                          "0001 0014 8000000400000003 0001020400000005 00000000 0000" +
                                                          data));
    CHECK(encoded(kOf10, PacketInFormat::Nxt) ==
          hex("01040048 00000000 00002320 00000011 ffffffff 003c 00 04 0000000000000077 000e 000000000000"
              "000000020003 0001020400000005 0000 0000" +
              data));
    CHECK(encoded(kOf10, PacketInFormat::Nxt2) ==
          hex("01040068 00000000 00002320 0000001e 0000 0012" + data + "000000000000" +
              "0001 0008 0000003c 0003 0005 04 000000 0004 0010 00000000 0000000000000077 0005 0005 00 000000"
              "0006 0014 8000000400000003 0001020400000005 00000000"));
    packet.reason = 4;  // a group's: OpenFlow 1.4's word
    CHECK(encoded(kOf13, PacketInFormat::Standard).substr(28, 2) == "01");
    CHECK(encoded(kOf14, PacketInFormat::Standard).substr(28, 2) == "04");
}

TEST_CASE("codec: group_mods of 1.3 and of Nicira") {
    const GroupMod select = decode_group_mod(
        from_hex("040f0050 00000006 0000 01 00 00000001 0020 0005 ffffffff ffffffff 00000000 0000001000000001"
                 "0000000000000000 0020 0001 ffffffff ffffffff 00000000 00000010000000020000000000000000"));
    CHECK(select.group.type == Group::Select);
    REQUIRE(select.group.buckets.size() == 2);
    CHECK(select.group.buckets[0].weight == 5);
    CHECK(select.group.buckets[1].id == 1);
    CHECK(select.group.dp_hash);

    const std::string body =
        "0018 000000000000 0018 0008 00000007 0000000800010000 0000000800050000"
        "ffff 0036 0000154d 00000001 00000000 68617368000000000000000000000000 0000000000000000"
        "00000e04ffffff00 00001402ffff 0000";
    const GroupMod hash = decode_group_mod(
        from_hex("01040070 00000006 00002320 0000001f 0000 01 00 00000002 0018 0000 ffffffff" + body.substr(18)));
    CHECK(hash.group.method == Group::Hash);
    CHECK_FALSE(hash.group.dp_hash);
    REQUIRE(hash.group.fields.size() == 2);
    CHECK(hash.group.fields[0]->name == "ip_src");
    CHECK(hash.group.hash_mask.net.ipv4_src == Be32::of(0xffffff00));
    REQUIRE(hash.group.buckets.size() == 1);
    CHECK(hash.group.buckets[0].id == 7);
    Wire described;
    encode_buckets(described, kOf10, hash.group);
    CHECK(to_hex(described).find("0000154d0000000100000000686173680000") != std::string::npos);
    CHECK(to_hex(Bytes(described).subspan(8, 24)) ==
          to_hex(from_hex("0018000800000007 0000000800010000 0000000800050000")));

    const GroupMod insert =
        decode_group_mod(from_hex("01040030 00000006 00002320 0000001f 0003 00 00 00000002 0010 0000 fffffffe 0010 "
                                  "0008 00000009 0000000800030000"));
    CHECK(insert.command == GroupMod::InsertBucket);
    CHECK(insert.bucket_id == 0xfffffffe);
}

TEST_CASE("codec: meter_mods") {
    const MeterMod add =
        decode_meter_mod(from_hex("041d0030 00000002 0000 000d 00000005 0001 0010 000003e8 00000064 00000000 0002 0010 "
                                  "00000005 00000006 01000000"));
    CHECK(add.id == 5);
    CHECK(add.config.flags == 13);
    REQUIRE(add.config.bands.size() == 2);
    CHECK(add.config.bands[0].rate == 1000);
    CHECK(add.config.bands[1].type == MeterConfig::Band::DscpRemark);
    CHECK(add.config.bands[1].prec_level == 1);
    CHECK(decode_meter_mod(from_hex("041d0010 00000002 0002 0000 ffffffff")).command == MeterMod::Delete);
}

TEST_CASE("codec: flow statistics requests") {
    const FlowStatsRequest nxm = decode_flow_stats_request(
        from_hex("01100040 00000008 ffff 0000 00002320 00000001 00000000 ffff 001a ff 000000 000006020800"
                 "00013d1000000000000000050000000000000007 000000000000"));
    CHECK(nxm.table == kAllTables);
    CHECK(nxm.cookie == 5);
    CHECK(nxm.cookie_mask == 7);
    CHECK(nxm.match.value.eth.type == Be16::of(0x0800));
    CHECK(nxm.out_port == kPortAny);
}

}  // namespace
}  // namespace turnout::test
