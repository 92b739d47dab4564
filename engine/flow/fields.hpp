// SPDX-License-Identifier: Apache-2.0
//
// The fields of a flow key by name: where each lies, how it is written, and what a packet must be to have it.
// Names are those of ovs-fields(7), beside a few that it only prints (vlan_tci1, mpls_lse1).
// Used wherever names meet keys (parse(), tracing, tests, rules), never per packet.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "engine/flow/key.hpp"

namespace turnout {

enum class Style : uint8_t { Decimal, Hex, Mac, Ipv4, Ipv6 };

// What a packet must be to have the field; OpenFlow 1.3.5, table 12.
enum class Prereq : uint8_t {
    None,    // any packet has it
    Pushed,  // not from the packet: metadata, registers, tunnel
    Vlan,
    Vlan2,
    Mpls,
    Mpls2,
    Mpls3,
    Pbb,
    Arp,
    Ipv4,
    Ipv6,
    Ip,
    Tcp,
    Udp,
    Sctp,
    Icmp,
    Icmpv6,
    Nd,
    NdSolicit,
    NdAdvert
};

struct Field {
    std::string_view name;
    uint16_t offset;  // in FlowKey, bytes
    uint8_t bytes;    // 1, 2, 4 or 8; 6 for Style::Mac, 16 for Style::Ipv6
    uint8_t shift;    // of the field in the number that these bytes are
    uint8_t bits;     // width; 8 * bytes for a whole number or address
    Style style;
    Prereq prereq;
};

using FieldValue = std::variant<uint64_t, std::string>;  // a number, or an address as text

// All fields, in the order of the layers.
std::span<const Field> fields();

// The field of that name, or null.
const Field* find_field(std::string_view name);

// Whether a packet with this key has the field.
bool applies(const Field& field, const FlowKey& key);

FieldValue value(const Field& field, const FlowKey& key);

// The bits of the field set in an otherwise zero key: its exact-match mask.
FlowKey mask_of(const Field& field);

// All that the key says of its packet: the fields that apply, without those of Prereq::Pushed that are zero.
std::vector<std::pair<std::string_view, FieldValue>> describe(const FlowKey& key);

}  // namespace turnout
