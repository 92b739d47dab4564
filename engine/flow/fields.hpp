// SPDX-License-Identifier: Apache-2.0
//
// The fields of a flow key by name: where each lies, how it is written, what a packet must be to have it, and its
// number on the wire (OXM, NXM). Names are those of ovs-fields(7), beside a few that it only prints (vlan_tci1,
// mpls_lse1). Used wherever names or OpenFlow meet keys (parse(), codec, tracing, tests, rules), never per packet.
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

// OXM and NXM headers without their mask bit: class 16, field 7, 0, length of the value 8 bits.
constexpr uint32_t oxm_header(uint32_t oxm_class, uint32_t field, uint32_t bytes) {
    return oxm_class << 16 | field << 9 | bytes;
}

struct Field {
    std::string_view name;
    uint16_t offset;  // in FlowKey, bytes
    uint8_t bytes;    // 1, 2, 4, 8 or 16; 6 for Style::Mac
    uint8_t shift;    // of the field in the number that these bytes are
    uint8_t bits;     // width; 8 * bytes for a whole number or address
    Style style;
    Prereq prereq;
    uint32_t oxm, nxm;  // headers; 0: the field has none
    bool maskable;      // by any mask; else only whole or not at all
    bool writable;      // by actions
    bool view;          // shows bits that other fields show as well; describe() and replies name those
    bool onf;           // in OpenFlow 1.3 and 1.4 the OXM is the Open Networking Foundation's experimenter's

    // The header for an action's argument: NXM's, if there is one, as Open vSwitch writes it.
    constexpr uint32_t nxm_first() const { return nxm ? nxm : oxm; }
    constexpr uint32_t oxm_first() const { return oxm ? oxm : nxm; }
};

using FieldValue = std::variant<uint64_t, std::string>;  // a number, or an address or xxreg as text

// All fields, in the order of the layers.
std::span<const Field> fields();

// The field of an OXM or NXM header (its mask bit and length are not looked at), or null.
const Field* find_field(uint32_t header);

// The field of that name, or null.
const Field* find_field(std::string_view name);

// Whether a packet with this key has the field; whether a match of this value may ask for it.
bool applies(const Field& field, const FlowKey& key);

FieldValue value(const Field& field, const FlowKey& key);

// The bits of the field set in an otherwise zero key: its exact-match mask.
FlowKey mask_of(const Field& field);

// All that the key says of its packet: the fields that apply, without those of Prereq::Pushed that are zero.
std::vector<std::pair<std::string_view, FieldValue>> describe(const FlowKey& key);

}  // namespace turnout
