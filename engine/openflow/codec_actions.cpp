// SPDX-License-Identifier: Apache-2.0
// Lists of actions on the wire: OpenFlow 1.0's and 1.3's own, each a row of a table; Nicira's are in codec_nicira.cpp.
#include "engine/openflow/codec_parts.hpp"

namespace turnout::of {
namespace {

constexpr unsigned kDeepest = 16;  // clone in clone

using Decode = void (*)(Reader& in, Actions& out);

struct Row {
    uint16_t type;
    uint16_t length;
    Decode decode;
};

// The bits of a field that an action of its own writes: mod_*, set_nw_ttl.
SetField legacy(const Field& field, uint64_t number) {
    SetField set{&field, {}, {}, SetField::Legacy};
    set_bits(set.value.data(), field, 0, field.bits, number);
    set_bits(set.mask.data(), field, 0, field.bits, ~uint64_t{0});
    return set;
}

const Field& named(std::string_view name) { return *turnout::find_field(name); }

uint8_t below(uint8_t value, unsigned limit) {
    if (value >= limit) throw error::kActionArgument;
    return value;
}

uint32_t out_port(uint32_t port) {
    if (port == kPortAny || (port >= kPort10Max && port < kPortInPort)) throw error::kActionOutPort;
    return port;
}

uint16_t mpls_type(uint16_t type) {
    if (type != 0x8847 && type != 0x8848) throw error::kActionArgument;
    return type;
}

uint64_t mac(Reader& in) { return uint64_t{in.u16()} << 32 | in.u32(); }

void output10(Reader& in, Actions& out) {
    const uint32_t port = out_port(port_from10(in.u16()));
    out.push_back({Output{port, in.u16()}});
}

void enqueue(Reader& in, Actions& out) {
    const uint32_t port = port_from10(in.u16());
    if (port >= kPort10Max && port != kPortInPort && port != kPortLocal) throw error::kActionOutPort;
    in.skip(6);
    out.push_back({Enqueue{port, in.u32()}});
}

void set_vlan_vid(Reader& in, Actions& out) {
    const uint16_t vid = in.u16();
    if (vid > 0xfff) throw error::kActionArgument;
    out.push_back({SetVlanVid{vid}});
}

void set_tos(Reader& in, Actions& out) {
    const uint8_t tos = in.u8();
    if (tos & 3) throw error::kActionArgument;
    out.push_back({legacy(named("ip_dscp"), tos >> 2u)});
}

void output13(Reader& in, Actions& out) {
    const uint32_t port = out_port(in.u32());
    out.push_back({Output{port, in.u16()}});
}

void push_vlan(Reader& in, Actions& out) {
    const uint16_t tpid = in.u16();
    if (tpid != 0x8100 && tpid != 0x88a8) throw error::kActionArgument;
    out.push_back({PushVlan{Be16::of(tpid)}});
}

void push_pbb(Reader& in, Actions& out) {
    const uint16_t tpid = in.u16();
    if (tpid != 0x88e7) throw error::kActionArgument;
    out.push_back({PushPbb{Be16::of(tpid)}});
}

void set_queue(Reader& in, Actions& out) { out.push_back({SetQueue{in.u32()}}); }
void to_group(Reader& in, Actions& out) { out.push_back({ToGroup{in.u32()}}); }

// OpenFlow 1.0.1, section 5.2.4. The length is that of the whole action, its header of 4 bytes included.
constexpr Row kActions10[] = {
    {0, 8, output10},
    {1, 8, set_vlan_vid},
    {2, 8, [](Reader& in, Actions& out) { out.push_back({SetVlanPcp{below(in.u8(), 8)}}); }},
    {3, 8, [](Reader&, Actions& out) { out.push_back({PopVlan{true}}); }},
    {4, 16, [](Reader& in, Actions& out) { out.push_back({legacy(named("eth_src"), mac(in))}); }},
    {5, 16, [](Reader& in, Actions& out) { out.push_back({legacy(named("eth_dst"), mac(in))}); }},
    {6, 8, [](Reader& in, Actions& out) { out.push_back({legacy(named("ip_src"), in.u32())}); }},
    {7, 8, [](Reader& in, Actions& out) { out.push_back({legacy(named("ip_dst"), in.u32())}); }},
    {8, 8, set_tos},
    {9, 8, [](Reader& in, Actions& out) { out.push_back({legacy(named("tcp_src"), in.u16())}); }},
    {10, 8, [](Reader& in, Actions& out) { out.push_back({legacy(named("tcp_dst"), in.u16())}); }},
    {11, 16, enqueue},
};

// OpenFlow 1.3.5, section 7.2.5; set_field is apart.
constexpr Row kActions13[] = {
    {0, 16, output13},
    {11, 8, [](Reader&, Actions& out) { out.push_back({CopyTtlOut{}}); }},
    {12, 8, [](Reader&, Actions& out) { out.push_back({CopyTtlIn{}}); }},
    {15, 8, [](Reader& in, Actions& out) { out.push_back({SetMplsTtl{in.u8()}}); }},
    {16, 8, [](Reader&, Actions& out) { out.push_back({DecMplsTtl{}}); }},
    {17, 8, push_vlan},
    {18, 8, [](Reader&, Actions& out) { out.push_back({PopVlan{false}}); }},
    {19, 8, [](Reader& in, Actions& out) { out.push_back({PushMpls{Be16::of(mpls_type(in.u16()))}}); }},
    {20, 8, [](Reader& in, Actions& out) { out.push_back({PopMpls{Be16::of(in.u16())}}); }},
    {21, 8, set_queue},
    {22, 8, to_group},
    {23, 8, [](Reader& in, Actions& out) { out.push_back({legacy(named("nw_ttl"), in.u8())}); }},
    {24, 8, [](Reader&, Actions& out) { out.push_back({DecTtl{}}); }},
    {26, 8, push_pbb},
    {27, 8, [](Reader&, Actions& out) { out.push_back({PopPbb{}}); }},
};
constexpr uint16_t kSetFieldType = 25;

void set_field(Reader in, Actions& out) {
    const Entry entry = pull_entry(in);
    if (entry.masked) throw error::kSetMask;
    // OpenFlow 1.3.5, section 7.2.5: in_port is not to be set; Open vSwitch lets NXM's load do it.
    if (!entry.field->writable || entry.field->name == "in_port" || !in.zeros()) throw error::kSetArgument;
    SetField set{entry.field, entry.value, entry.mask, SetField::Set};
    // OpenFlow 1.3.5, section 7.2.3.7: OFPVID_PRESENT must be set.
    if (entry.field->name == "vlan_vid" && !(entry.value[0] & 0x10)) throw error::kSetArgument;
    out.push_back({set});
}

std::span<const Row> rows(uint8_t version) {
    if (version == kOf10) return kActions10;
    return kActions13;
}

}  // namespace

Actions ActionReader::list(Bytes wire) {
    if (depth > kDeepest) throw error::kActionTooMany;
    Actions out;
    while (!wire.empty()) {
        if (wire.size() < 4) throw error::kActionLen;
        const uint16_t type = be16(wire.data()), length = be16(wire.data() + 2);
        if (length < 8 || length > wire.size()) throw error::kActionLen;
        // Nothing may follow what is an instruction in all but name.
        if (metadata && metadata->has_metadata) throw error::kUnsupportedOrder;
        const Bytes action = wire.first(length);
        wire = wire.subspan(length);
        Reader in(action.subspan(4), error::kActionLen);
        if (type == kVendorAction) {
            pull_nicira(*this, action, out);
        } else if (type == kSetFieldType && version != kOf10) {
            if (length % 8 != 0) throw error::kActionLen;
            set_field(in, out);
        } else {
            const auto table = rows(version);
            const auto row = std::ranges::find(table, type, &Row::type);
            if (row == table.end()) throw error::kActionType;
            if (length != row->length) throw error::kActionLen;
            row->decode(in, out);
        }
    }
    return out;
}

}  // namespace turnout::of
