// SPDX-License-Identifier: Apache-2.0
// Error messages: what OpenFlow 1.4 calls an error, as 1.0 and 1.3 call it. Where they lack it, Open vSwitch has given
// it a number of its own (Nicira's or the Open Networking Foundation's); `ovs-ofctl print-error NAME` lists them.
#include "engine/openflow/codec_parts.hpp"

namespace turnout::of {
namespace {

using namespace error;

constexpr uint16_t kNone = 0xffff;
constexpr uint16_t kExperimenterError = 0xffff, kVendorError10 = 0xb0c2;

// `count` codes from `code` on, of one type; `to` is what the first of them becomes, and the others follow it.
struct Row {
    uint16_t type, code, count;
    OfError to;
};

constexpr OfError nicira(uint16_t type, uint16_t code) { return {type, code, kNiciraVendor}; }
constexpr OfError kUnknown{kNone, kNone};

// OpenFlow 1.0. Types that no row names are unknown there.
constexpr Row kTo10[] = {
    {HelloFailed, 0, 2, {0, 0}},
    {BadRequest, 0, 9, {1, 0}},
    {BadRequest, 9, 1, nicira(1, 512)},
    {BadRequest, 10, 1, {1, 5}},
    {BadRequest, 11, 1, nicira(1, 514)},
    {BadAction, 0, 9, {2, 0}},
    {BadAction, 9, 1, nicira(2, 9)},
    {BadAction, 10, 1, nicira(1, 522)},
    {BadAction, 13, 3, nicira(1, 523)},
    {BadInstruction, 1, 1, nicira(2, 257)},
    {BadMatch, 5, 1, nicira(1, 262)},
    {BadMatch, 6, 1, nicira(0, 263)},
    {BadMatch, 7, 4, nicira(1, 258)},
    {FlowModFailed, 1, 1, {3, 0}},
    {FlowModFailed, 3, 2, {3, 1}},
    {FlowModFailed, 6, 1, {3, 4}},
    {FlowModFailed, 7, 1, nicira(3, 258)},
    {FlowModFailed, kEmergencyTimeout.code, 1, {3, 3}},
    {GroupModFailed, 0, 17, nicira(6, 0)},
    {PortModFailed, 0, 2, {4, 0}},
    {QueueOpFailed, 0, 3, {5, 0}},
    {RoleRequestFailed, 2, 1, nicira(1, 513)},
    {BadProperty, 0, 3, nicira(13, 2)},
    {BadProperty, 3, 6, nicira(14, 3)},
    {FlowMonitorFailed, 1, 1, nicira(1, 517)},
    {FlowMonitorFailed, 3, 1, nicira(1, 519)},
    {FlowMonitorFailed, 5, 1, nicira(1, 518)},
};

// OpenFlow 1.3. What no row names is the same in 1.4.
constexpr Row kTo13[] = {
    {BadInstruction, 9, 1, {2600, 0, kOnfVendor}},
    {FlowModFailed, kEmergencyTimeout.code, 1, kUnknown},
    {GroupModFailed, 15, 2, kUnknown},
    {BadProperty, 0, 3, {13, 2}},
    {FlowMonitorFailed, 1, 1, nicira(6, 0)},
    {FlowMonitorFailed, 3, 1, nicira(8, 0)},
    {FlowMonitorFailed, 5, 1, nicira(7, 0)},
    {FlowMonitorFailed, 0, 8, kUnknown},
};

// In OpenFlow 1.0 Nicira's errors have a type and a code.
constexpr std::pair<OfError, OfError> kNicira10[] = {
    {kNxmInvalid, nicira(1, 256)},       {kMustBeZero, nicira(1, 515)},     {kUnencodable, nicira(1, 521)},
    {kActionMustBeZero, nicira(2, 256)}, {kBadConjunction, nicira(2, 526)}, {kFlowTableNx, nicira(5, 257)},
    {kInvalidTlvField, nicira(1, 536)},
};

OfError translate(std::span<const Row> rows, const OfError& error, const OfError& other) {
    for (const Row& row : rows) {
        if (row.type != error.type || error.code < row.code || error.code >= row.code + row.count) continue;
        if (row.to == kUnknown) return kUnknown;
        return {row.to.type, static_cast<uint16_t>(row.to.code + error.code - row.code), row.to.vendor};
    }
    return other;
}

// Groups of codes that the Open Networking Foundation's extensions of 1.3 number one by one.
OfError onf13(const OfError& error) {
    if (error.type == BadProperty && error.code >= 3) return {static_cast<uint16_t>(4440 + error.code), 0, kOnfVendor};
    if (error.type == AsyncConfigFailed) return {static_cast<uint16_t>(2370 + error.code), 0, kOnfVendor};
    if (error.type == BundleFailed) return {static_cast<uint16_t>(2300 + error.code), 0, kOnfVendor};
    return error;
}

OfError translate10(const OfError& error) {
    if (error.vendor == 0) return translate(kTo10, error, kUnknown);
    for (const auto& [from, to] : kNicira10)
        if (from == error) return to;
    return kUnknown;
}

OfError as_in(uint8_t version, const OfError& error) {
    if (version == kOf10) {
        const OfError known = translate10(error);
        return known == kUnknown ? translate10(kUnencodable) : known;
    }
    if (error.vendor != 0) return error;
    OfError known = version == kOf13 ? translate(kTo13, error, onf13(error)) : error;
    if (version >= kOf14 && (error == kEmergencyTimeout || error == kUnknownBucket || error == kBucketExists))
        known = kUnknown;
    return known == kUnknown ? kUnencodable : known;
}

}  // namespace

void encode_error(Wire& out, uint8_t version, uint32_t xid, const OfError& error, Bytes about) {
    const OfError as = as_in(version, error);
    const size_t start = out.size();
    put8(out, version);
    put8(out, 1);
    put16(out, 0);
    put32(out, xid);
    if (as.vendor == 0) {
        put16(out, as.type);
        put16(out, as.code);
    } else if (version == kOf10) {
        put16(out, kVendorError10);
        put16(out, 0);
        put32(out, as.vendor);
        put16(out, as.type);
        put16(out, as.code);
    } else {
        put16(out, kExperimenterError);
        put16(out, as.type);
        put32(out, as.vendor);
    }
    put(out, about.first(std::min(about.size(), start + 0xffff - out.size())));
    set16(out, start + 2, out.size() - start);
}

std::optional<Header> peek(Bytes data) {
    if (data.size() < 8) return std::nullopt;
    return Header{data[0], data[1], be16(&data[2]), be32(&data[4])};
}

}  // namespace turnout::of
