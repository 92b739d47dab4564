// SPDX-License-Identifier: Apache-2.0
// One message per error: what the standard (or, for Nicira's extensions, Open vSwitch) says to each fault, and how each
// version of OpenFlow writes it.
#include <doctest/doctest.h>

#include <functional>

#include "tests/engine/codec_data.hpp"

namespace turnout::test {
namespace {

using namespace of;
using namespace of::error;

// A flow_mod of OpenFlow 1.3 with these OXM entries and instructions.
Wire flow_mod(const std::string& entries, const std::string& instructions, const std::string& fields = "") {
    // cookie, mask, table, command, timeouts, priority, buffer, out_port, out_group, flags, importance
    const std::string usual =
        "0000000000000000 0000000000000000 00 00 0000 0000 8000 ffffffff ffffffff ffffffff 0000 0000";
    Wire message = from_hex("040e0000 00000001" + (fields.empty() ? usual : fields));
    const Wire match = from_hex(entries);
    put16(message, 1);
    put16(message, static_cast<uint16_t>(4 + match.size()));
    put(message, match);
    pad8(message, 0);
    put(message, from_hex(instructions));
    return sized(message);
}

// The same with one list of apply_actions.
Wire actions13(const std::string& entries, const std::string& actions) {
    Wire list;
    put16(list, 4);
    put16(list, static_cast<uint16_t>(8 + from_hex(actions).size()));
    zeros(list, 4);
    return flow_mod(entries, to_hex(list) + actions);
}

// A flow_mod of OpenFlow 1.0 that matches all, or TCP over IPv4.
Wire actions10(const std::string& actions, bool tcp = false) {
    const std::string rest = "0000000000000000 0000 0000 0000 8000 ffffffff ffff 0000";
    const std::string all = "003820ff" + std::string(72, '0');
    const std::string of_tcp =
        "003820cf 0000 000000000000 000000000000 0000 00 00 0800 00 06 0000 00000000 00000000 00000000";
    return sized(from_hex("010e0000 00000001" + (tcp ? of_tcp : all) + rest + actions));
}

OfError error_of(const std::function<void()>& decode) {
    try {
        decode();
    } catch (const OfError& error) {
        return error;
    }
    return {0xfffe, 0xfffe};  // none
}

OfError flow_error(const Wire& message, bool table_id = false) {
    return error_of([&] {
        const FlowMod mod = decode_flow_mod(message, table_id);
        decode_program(mod.instructions, message[0], mod.match, mod.table);
    });
}

const std::string kIp = "80000a02 0800 ", kTcp = kIp + "80001401 06 ", kVlan5 = "80000c02 1005 ";

struct Case {
    std::string what;
    Wire message;
    OfError error;
};

void check(const std::vector<Case>& cases) {
    for (const Case& c : cases) {
        CAPTURE(c.what);
        const OfError error = flow_error(c.message);
        CHECK(error.type == c.error.type);
        CHECK(error.code == c.error.code);
        CHECK(error.vendor == c.error.vendor);
    }
}

TEST_CASE("codec: errors of matches") {
    check({
        {"an entry cut short", flow_mod("80000a02 08", ""), kMatchLen},
        {"a wrong length", flow_mod("80000a03 080000", ""), kMatchLen},
        {"a mask that is missing", flow_mod(kIp + "80001704 0a000000", ""), kMatchLen},
        {"a field that nobody knows", flow_mod("8000fe01 00", ""), kMatchField},
        {"another experimenter's field", flow_mod("ffff5406 00001234 0000", ""), kMatchField},
        {"a tunnel option", flow_mod("00015001 00", ""), kInvalidTlvField},
        {"value bits outside of the mask", flow_mod(kIp + "80001708 0a000001 ffffff00", ""), kMatchWildcards},
        {"a mask on a field that takes none", flow_mod("80000b04 0800 ff00", ""), kMatchMask},
        {"a VLAN priority above 7", flow_mod(kVlan5 + "80000e01 08", ""), kMatchValue},
        {"a DSCP above 63", flow_mod(kIp + "80001001 40", ""), kMatchValue},
        {"an MPLS label of 21 bits", flow_mod("80000a02 8847 80004404 00100000", ""), kMatchValue},
        {"an ARP operation above 255", flow_mod("80000a02 0806 80002a02 0100", ""), kMatchValue},
        {"a port that cannot be", flow_mod("80000004 00010000", ""), kMatchValue},
        {"IPv4 addresses of no EtherType", flow_mod("80001604 0a000001", ""), kMatchPrereq},
        {"a TCP port of UDP", flow_mod(kIp + "80001401 11 80001a02 0050", ""), kMatchPrereq},
        {"a VLAN priority of no VLAN", flow_mod("80000e01 03", ""), kMatchPrereq},
        {"a physical port of no port", flow_mod("80000204 00000001", ""), kMatchPrereq},
        {"ND target of echo requests",
         flow_mod("80000a02 86dd 80001401 3a 80003a01 80 80003e10" + std::string(32, '0'), ""), kMatchPrereq},
        {"a field twice", flow_mod(kIp + kIp, ""), kMatchDup},
        {"a field by OXM and NXM", flow_mod(kIp + "00000602 0800", ""), kMatchDup},
    });
    Wire standard = flow_mod("", "");
    set16(standard, 48, 0);
    CHECK(flow_error(standard) == kMatchType);
    Wire longer = flow_mod("", "");
    set16(longer, 50, 64);
    CHECK(flow_error(longer) == kMatchLen);
}

TEST_CASE("codec: OpenFlow 1.0 ignores fields without their prerequisite") {
    // nw_src and tp_dst of any EtherType
    const FlowMod mod =
        decode_flow_mod(sized(from_hex("010e0000 00000001 0030007f 0000 000000000000 000000000000 0000 00 00 0000 00 "
                                       "00 0000 0a000001 00000000 0000 0050"
                                       "0000000000000000 0000 0000 0000 8000 ffffffff ffff 0000")));
    CHECK(mod.match == Match{});
}

TEST_CASE("codec: errors of instructions") {
    check({
        {"unknown", flow_mod("", "0007 0008 00000000"), kUnknownInst},
        {"an experimenter's", flow_mod("", "ffff 0008 00002320"), kInstVendor},
        {"cut short", flow_mod("", "0001 0010 01000000"), kInstLen},
        {"a length of no words", flow_mod("", "0001 0004 01000000"), kInstLen},
        {"goto_table too long", flow_mod("", "0001 0010 01000000 0000000000000000"), kInstLen},
        {"twice", flow_mod("", "0001 0008 01000000 0001 0008 02000000"), kDupInst},
        {"back to this table", flow_mod("", "0001 0008 00000000"), kInstTable},
        {"to a table that is not there", flow_mod("", "0001 0008 fe000000"), kInstTable},
        {"meter 0", flow_mod("", "0006 0008 00000000"), kInvalidMeter},
        {"an action that no set takes", flow_mod("", "0003 0018 00000000 ffff0010 00002320 0011 000000000000"),
         kActionType},
    });
}

TEST_CASE("codec: errors of actions") {
    check({
        {"unknown", actions13("", "001e 0008 00000000"), kActionType},
        {"one of OpenFlow 1.0", actions13("", "0001 0008 00050000"), kActionType},
        {"a length of no words", actions13("", "0012 000c 00000000 00000000 00000000"), kActionLen},
        {"too short", actions13("", "0000 0008 00000001"), kActionLen},
        {"beyond the list", actions13("", "0012 0010 00000000"), kActionLen},
        {"a length of zero", actions13("", "0012 0000 00000000"), kActionLen},
        {"an unknown experimenter", actions13("", "ffff 0010 00001234 0000000000000000"), kActionVendor},
        {"Nicira's, unknown", actions13("", "ffff 0010 00002320 00c8 000000000000"), kActionVendorType},
        {"output to any", actions13("", "0000 0010 ffffffff 0000 000000000000"), kActionOutPort},
        {"output to no port", actions13("", "0000 0010 0000ff01 0000 000000000000"), kActionOutPort},
        {"push of no tag", actions13("", "0011 0008 0800 0000"), kActionArgument},
        {"push of a third tag", actions13("", "0011 0008 8100 0000 0011 0008 8100 0000 0011 0008 8100 0000"),
         kActionTag},
        {"push of no label", actions13(kIp, "0013 0008 0800 0000"), kActionArgument},
        {"pop of no tag", actions13("", "0012 0008 00000000"), kMatchInconsistent},
        {"TTL of no IP", actions13("", "0018 0008 00000000"), kMatchInconsistent},
        {"a field that the match lacks", actions13(kIp, "0019 0010 80001a02 0050 000000000000"), kMatchInconsistent},
        {"a field behind a pushed label", actions13(kTcp, "0013 0008 8847 0000 0019 0010 80001a02 0050 000000000000"),
         kMatchInconsistent},
        {"an unknown field", actions13("", "0019 0010 8000fe01 00 00000000000000"), kSetType},
        {"a field's length", actions13("", "0019 0010 80000603 000000 0000000000"), kSetLen},
        {"a field that is read only", actions13("", "0019 0010 80000a02 0800 000000000000"), kSetArgument},
        {"a value that cannot be", actions13(kIp, "0019 0010 80001001 40 00000000000000"), kSetArgument},
        {"a VLAN without its bit", actions13(kVlan5, "0019 0010 80000c02 0005 000000000000"), kSetArgument},
        {"set_field with a mask", actions13("", "0019 0018 8000070c 020000000001 ffffffffffff 00000000"), kSetMask},
    });
    check({
        {"1.0: a VLAN of 13 bits", actions10("0001 0008 1000 0000"), kActionArgument},
        {"1.0: a priority above 7", actions10("0002 0008 08 000000"), kActionArgument},
        {"1.0: a TOS with ECN", actions10("0008 0008 01 000000"), kActionArgument},
        {"1.0: output to none", actions10("0000 0008 ffff 0000"), kActionOutPort},
        {"1.0: enqueue to flood", actions10("000b 0010 fffb 000000000000 00000001"), kActionOutPort},
        {"1.0: unknown", actions10("000c 0008 00000000"), kActionType},
    });
    // In 1.0 what cannot apply is let through: pop of no tag.
    CHECK(flow_error(actions10("0003 0008 00000000")) == OfError{0xfffe, 0xfffe});
}

TEST_CASE("codec: errors of Nicira's actions") {
    const std::string nx = "00002320";
    check({
        {"load beyond the field", actions10("ffff0018" + nx + "0007 07ff 00010004 0000000000000000"), kSetLen},
        {"load of too many bits", actions10("ffff0018" + nx + "0007 0003 00010004 0000000000000010"), kActionArgument},
        {"load of what is read only", actions10("ffff0018" + nx + "0007 000f 00000602 0000000000000800"), kSetArgument},
        {"load of the unknown", actions10("ffff0018" + nx + "0007 0000 0001fe04 0000000000000000"), kSetType},
        {"move of what the match lacks", actions10("ffff0018" + nx + "0006 0020 0000 0000 00000e04 00010004"),
         kMatchInconsistent},
        {"move of no bits", actions10("ffff0018" + nx + "0006 0000 0000 0000 00010004 00010204"), kSetLen},
        {"conjunction 3 of 2", actions10("ffff0010" + nx + "0022 02 02 00000001"), kBadConjunction},
        {"conjunction beside output", actions10("ffff0010" + nx + "0022 00 02 00000001 0000000800010000"),
         kBadConjunction},
        {"learn into table 255",
         actions10("ffff0020" + nx + "0010 0000 0000 8000 0000000000000000 0000 ff 00 0000 0000"), kActionArgument},
        {"learn of an unknown flag",
         actions10("ffff0020" + nx + "0010 0000 0000 8000 0000000000000000 0100 01 00 0000 0000"), kActionArgument},
        {"learn cut short",
         actions10("ffff0028" + nx + "0010 0000 0000 8000 0000000000000000 0000 01 00 0000 0000 2010 0800 00000602"),
         kActionLen},
        {"learn of an unmet prerequisite",
         actions10("ffff0030" + nx +
                   "0010 0000 0000 8000 0000000000000000 0000 01 00 0000 0000 2010 0050 00001402 0000 000000000000"),
         kMatchInconsistent},
        {"dec_ttl for nobody", actions10("ffff0010" + nx + "0015 0000 00000000"), kActionArgument},
        {"multipath of too few bits",
         actions10("ffff0020" + nx + "000a 0000 0000 0000 0000 00ff 00000000 0000 0003 00010004"), kActionArgument},
        {"bundle of no ports", actions10("ffff0020" + nx + "000c 0000 0000 0000 00000604 0000 0000 00000000 00000000"),
         kActionArgument},
        {"output cut to 5 bytes", actions10("ffff0010" + nx + "0027 0001 00000005"), kActionArgument},
        {"actions behind write_metadata",
         actions10("ffff0020" + nx + "0016 000000000000 0000000000000001 00000000000000ff 0000000800010000"),
         kUnsupportedOrder},
        {"a property of no length", actions10("ffff0018" + nx + "0025 000000000000 0000 0000 00000000"), kPropertyLen},
        {"an unknown property", actions10("ffff0018" + nx + "0025 000000000000 00c8 0004 00000000"), kPropertyType},
    });
    std::string nested = "ffff0010" + nx + "002a 000000000000";
    for (int depth = 1; depth < 40; depth++) {
        char length[5];
        std::snprintf(length, sizeof length, "%04x", 16 * (depth + 1));
        nested = "ffff" + std::string(length) + nx + "002a 000000000000" + nested;
    }
    CHECK(flow_error(actions10(nested)) == kActionTooMany);
}

TEST_CASE("codec: errors of flow_mods themselves") {
    const auto with = [](const std::string& table, const std::string& command, const std::string& flags) {
        return flow_mod("", "",
                        "0000000000000000 0000000000000000" + table + command +
                            "0000 0000 8000 ffffffff ffffffff ffffffff" + flags + "0000");
    };
    check({
        {"an unknown command", with("00", "05", "0000"), kFlowCommand},
        {"an unknown flag", with("00", "00", "0020"), kFlowFlags},
        {"an add to all tables", with("ff", "00", "0000"), kFlowTable},
    });
    Wire emergency = actions10("");
    set16(emergency, 70, 4);
    CHECK(flow_error(emergency) == kTableFull);
    set16(emergency, 58, 10);
    CHECK(flow_error(emergency) == kEmergencyTimeout);
    Wire odd = actions10("");
    odd.pop_back();
    CHECK(flow_error(sized(odd)) == kRequestLen);
    // An add by NXM cannot filter by cookie.
    CHECK(flow_error(
              sized(from_hex("01040000 00000001 00002320 0000000d 0000000000000000 0000 0000 0000 8000 ffffffff ffff"
                             "0000 000c 000000000000 00013c08 0000000000000005 00000000"))) == kNxmInvalid);
}

TEST_CASE("codec: errors of groups, meters and packet_outs") {
    const auto group = [](const std::string& hex) { return error_of([&] { decode_group_mod(sized(from_hex(hex))); }); };
    const std::string head = "040f0000 00000001", bucket = "0010 0000 ffffffff ffffffff 00000000";
    CHECK(group(head + "0000 04 00 00000001") == kGroupType);
    CHECK(group(head + "0003 00 00 00000001") == kGroupCommand);
    CHECK(group(head + "0000 02 00 00000001") == kInvalidGroup);  // indirect without a bucket
    CHECK(group(head + "0000 00 00 00000001 0010 0001 ffffffff ffffffff 00000000") == kInvalidGroup);
    CHECK(group(head + "0000 03 00 00000001" + bucket) == kInvalidGroup);
    CHECK(group(head + "0000 00 00 00000001 0010 0000 00000001 ffffffff 00000000") == kWatchUnsupported);
    CHECK(group(head + "0000 03 00 00000001 0010 0000 00010000 ffffffff 00000000") == kBadWatch);
    CHECK(group(head + "0000 00 00 00000001 0008 0000 ffffffff ffffffff 00000000") == kBadBucket);
    CHECK(group(head + "0000 00 00 00000001 0018 0000 ffffffff ffffffff 00000000 0000 0008 ffffffff") == kActionLen);
    const std::string nicira = "01040000 00000001 00002320 0000001f";
    CHECK(group(nicira + "0000 00 00 00000001 0000 0000 00000000") == kBadBucket);
    CHECK(group(nicira + "0000 00 00 00000001 0010 0000 ffffffff 0010 0000 00000000 0009 0008 00000000") ==
          kPropertyType);
    CHECK(group(nicira + "0000 01 00 00000001 0000 0000 ffffffff ffff 000c 00001234 00000001 00000000") ==
          kPropertyVendor);
    CHECK(group(nicira + "0000 01 00 00000001 0000 0000 ffffffff ffff 0028 0000154d 00000001 00000000 666f6f00"
                         "000000000000000000000000 0000000000000000") == kPropertyValue);

    const auto meter = [](const std::string& hex) { return error_of([&] { decode_meter_mod(sized(from_hex(hex))); }); };
    CHECK(meter("041d0000 00000001 0003 0001 00000001") == kMeterCommand);
    CHECK(meter("041d0000 00000001 0000 0003 00000001") == kMeterFlags);
    CHECK(meter("041d0000 00000001 0000 0010 00000001") == kMeterFlags);
    CHECK(meter("041d0000 00000001 0000 0001 00000001 0003 0010 00000001 00000000 00000000") == kMeterBand);
    CHECK(meter("041d0000 00000001 0000 0001 00000001 0001 0008 00000001") == kRequestLen);

    const auto packet = [](const std::string& hex) {
        return error_of([&] { decode_packet_out(sized(from_hex(hex))); });
    };
    CHECK(packet("040d0000 00000001 ffffffff 00010000 0000 000000000000") == kRequestPort);
    CHECK(packet("010d0000 00000001 ffffffff fffb 0000") == kRequestPort);
    CHECK(packet("010d0000 00000001 ffffffff 0001 0010 0000 0008 0001 0000") == kRequestLen);
    CHECK(packet("010d0000 00000001 ffffffff 0001 0004 00000000") == kRequestLen);
    // The actions are held against the packet: a TCP port of an ARP packet.
    CHECK(packet("040d0000 00000001 ffffffff 00000001 0010 000000000000 0019 0010 80001a02 0050 000000000000"
                 "ffffffffffff 020000000001 0806 0001 0800 06 04 0001") == kMatchInconsistent);
}

// `ovs-ofctl print-error` says the same.
TEST_CASE("codec: each version writes an error as it has it") {
    const Wire about = from_hex("0110000c000000020003000000000000");
    const auto written = [&](uint8_t version, const OfError& error) {
        Wire wire;
        encode_error(wire, version, 7, error, about);
        CHECK(be16(&wire[2]) == wire.size());
        CHECK(wire[0] == version);
        CHECK(wire[1] == 1);
        CHECK(be32(&wire[4]) == 7);
        return to_hex(Bytes(wire).subspan(8, wire.size() - 8 - about.size()));
    };
    CHECK(written(kOf13, kMatchPrereq) == "00040009");
    CHECK(written(kOf10, kMatchPrereq) == "b0c200000000232000010104");
    CHECK(written(kOf10, kMatchField) == "b0c200000000232000000107");
    CHECK(written(kOf10, kActionOutPort) == "00020004");
    CHECK(written(kOf10, kSetLen) == "b0c20000000023200001020c");
    CHECK(written(kOf10, kIsSlave) == "00010005");
    CHECK(written(kOf10, kOverlap) == "00030001");
    CHECK(written(kOf13, kOverlap) == "00050003");
    CHECK(written(kOf10, kFlowCommand) == "00030004");
    CHECK(written(kOf10, kEmergencyTimeout) == "00030003");
    CHECK(written(kOf10, kUnknownInst) == "b0c200000000232000010209");  // unencodable
    CHECK(written(kOf10, kBadConjunction) == "b0c20000000023200002020e");
    CHECK(written(kOf13, kBadConjunction) == "ffff000f00002320");
    CHECK(written(kOf13, kDupInst) == "ffff0a284f4e4600");
    CHECK(written(kOf14, kDupInst) == "00030009");
    CHECK(written(kOf13, kPropertyType) == "000d0002");
    CHECK(written(kOf14, kPropertyType) == "000e0000");
    CHECK(written(kOf13, kPropertyDup) == "ffff115c4f4e4600");
    CHECK(written(kOf13, OfError{BundleFailed, 13}) == "ffff09094f4e4600");
    CHECK(written(kOf13, OfError{FlowMonitorFailed, 1}) == "ffff000600002320");
    CHECK(written(kOf14, kUnknownBucket) == "ffff000a00002320");
    CHECK(written(kOf13, kSetMask) == "ffff109a4f4e4600");
    Wire wire;
    encode_error(wire, kOf10, 7, kMatchPrereq, Wire(0xffff));
    CHECK(wire.size() == 0xffff);
}

}  // namespace
}  // namespace turnout::test
