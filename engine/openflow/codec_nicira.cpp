// SPDX-License-Identifier: Apache-2.0
// Nicira's extension actions from the wire (Open vSwitch's ovs-actions(7)), each a row of a table.
#include "engine/openflow/codec_parts.hpp"

namespace turnout::of {
namespace {

constexpr uint16_t kBundleMost = 2048;

// `in` starts behind the subtype, 10 bytes into the action.
using Decode = void (*)(ActionReader& reader, Reader& in, Actions& out);

struct Row {
    uint16_t subtype;
    uint16_t length;  // of the whole action, in bytes
    bool longer;      // or longer, by a multiple of 8
    bool only10;      // later versions have an action of their own
    Decode decode;
};

Bits bits_of(Reader& in, uint16_t offset_and_n) {
    return to_bits(pull_header(in), offset_and_n >> 6u, (offset_and_n & 63u) + 1);
}

uint32_t some_port(uint16_t port) { return port_from10(port); }

SetField number_field(std::string_view name, uint64_t number, SetField::Spelled spelled = SetField::Legacy) {
    const Field& field = *turnout::find_field(name);
    SetField set{&field, {}, {}, spelled};
    set_bits(set.value.data(), field, 0, field.bits, number);
    set_bits(set.mask.data(), field, 0, field.bits, ~uint64_t{0});
    return set;
}

// Two fields whose place in the key is not as wide as their name: OpenFlow 1.0's port number stands for one of 32 bits,
// and nw_tos leaves the ECN alone.
SetField as_meant(SetField set) {
    if (set.field->name == "in_port_nxm" && set.mask[2] == 0xff && set.mask[3] == 0xff) {
        const Be32 port = Be32::of(port_from10(be16(&set.value[2])));
        std::memcpy(set.value.data(), &port, sizeof port);
        std::memset(set.mask.data(), 0xff, sizeof port);
    } else if (set.field->name == "nw_tos") {
        set.value[0] &= 0xfc;
        set.mask[0] &= 0xfc;
    }
    return set;
}

void must_be_zero(Reader in) {
    if (!in.zeros()) throw error::kActionArgument;
}

void writable(const Bits& bits) {
    if (!bits.field->writable) throw error::kSetArgument;
}

void resubmit(ActionReader&, Reader& in, Actions& out) { out.push_back({Resubmit{some_port(in.u16()), 255, false}}); }

void resubmit_table(ActionReader&, Reader& in, Actions& out) {
    const uint32_t port = some_port(in.u16());
    const uint8_t table = in.u8();
    must_be_zero(in);
    out.push_back({Resubmit{port, table, true}});
}

void set_tunnel(ActionReader&, Reader& in, Actions& out) {
    in.skip(2);
    out.push_back({number_field("tun_id", in.u32())});
}

void set_tunnel64(ActionReader&, Reader& in, Actions& out) {
    in.skip(6);
    out.push_back({number_field("tun_id", in.u64(), SetField::Legacy64)});
}

void set_queue(ActionReader&, Reader& in, Actions& out) {
    in.skip(2);
    out.push_back({SetQueue{in.u32()}});
}

void group(ActionReader&, Reader& in, Actions& out) {
    in.skip(2);
    out.push_back({ToGroup{in.u32()}});
}

void move(ActionReader&, Reader& in, Actions& out) {
    const uint16_t n = in.u16(), from = in.u16(), to = in.u16();
    const Field* source = pull_header(in);
    const Move move{to_bits(source, from, n), to_bits(pull_header(in), to, n)};
    writable(move.to);
    must_be_zero(in);
    out.push_back({move});
}

void load(ActionReader&, Reader& in, Actions& out) {
    const uint16_t where = in.u16();
    const Bits to = bits_of(in, where);
    const uint64_t value = in.u64();
    writable(to);
    if (to.n < 64 && value >> to.n) throw error::kActionArgument;
    SetField set{to.field, {}, {}, SetField::Load};
    set_bits(set.value.data(), *to.field, to.from, to.n, value);
    set_bits(set.mask.data(), *to.field, to.from, to.n, ~uint64_t{0});
    out.push_back({as_meant(set)});
}

void load2(ActionReader&, Reader& in, Actions& out) {
    const Entry entry = pull_entry(in);
    if (!entry.field->writable || !in.zeros()) throw error::kSetArgument;
    if (entry.masked && !entry.field->maskable) throw error::kSetMask;
    if (entry.field->name == "vlan_vid" && !(entry.value[0] & entry.mask[0] & 0x10)) throw error::kSetArgument;
    out.push_back({as_meant({entry.field, entry.value, entry.mask, SetField::Load2})});
}

void note(ActionReader&, Reader& in, Actions& out) {
    const Bytes bytes = in.rest();
    out.push_back({Note{std::make_shared<const std::vector<uint8_t>>(bytes.begin(), bytes.end())}});
}

void multipath(ActionReader&, Reader& in, Actions& out) {
    Multipath path{};
    path.fields = in.u16();
    path.basis = in.u16();
    in.skip(2);
    path.algorithm = in.u16();
    path.max_link = in.u16();
    path.arg = in.u32();
    in.skip(2);
    const uint16_t where = in.u16();
    path.to = bits_of(in, where);
    writable(path.to);
    const unsigned links = path.max_link + 1u;
    if (path.fields > 5 || path.algorithm > 3) throw error::kActionArgument;
    if (path.to.n < 16 && links > 1u << path.to.n) throw error::kActionArgument;
    out.push_back({path});
}

void bundle_of(Reader& in, Actions& out, bool loads) {
    auto spec = std::make_shared<BundleSpec>();
    spec->algorithm = in.u16();
    spec->fields = in.u16();
    spec->basis = in.u16();
    const uint32_t kind = in.u32();
    const uint16_t n = in.u16(), where = in.u16();
    const Bytes field = in.take(4);
    if (!Reader(in.take(4), error::kActionLen).zeros()) throw error::kActionArgument;
    if (spec->fields > 5 || spec->algorithm > 1 || kind != oxm_header(0, 0, 2) || n > kBundleMost)
        throw error::kActionArgument;
    if (loads) {
        Reader header(field, error::kActionLen);
        spec->to = bits_of(header, where);
        writable(spec->to);
        if (spec->to.n < 16) throw error::kActionArgument;
    } else if (where != 0 || be32(field.data()) != 0) {
        throw error::kActionArgument;
    }
    for (unsigned i = 0; i < n; i++) spec->members.push_back(port_from10(in.u16()));
    out.push_back({Bundle{std::move(spec)}});
}

void output_reg(ActionReader&, Reader& in, Actions& out) {
    const uint16_t where = in.u16();
    const Bits port = bits_of(in, where);
    const uint16_t max_len = in.u16();
    must_be_zero(in);
    out.push_back({OutputReg{port, max_len}});
}

void output_reg2(ActionReader&, Reader& in, Actions& out) {
    const uint16_t where = in.u16(), max_len = in.u16();
    const Bits port = bits_of(in, where);
    must_be_zero(in);
    out.push_back({OutputReg{port, max_len}});
}

void fin_timeout(ActionReader&, Reader& in, Actions& out) {
    const uint16_t idle = in.u16();
    out.push_back({FinTimeout{idle, in.u16()}});
}

void controller(ActionReader&, Reader& in, Actions& out) {
    Controller to;
    to.max_len = in.u16();
    to.id = in.u16();
    to.reason = in.u8();
    out.push_back({std::move(to)});
}

// Properties: 0 max_len, 1 controller's id, 2 reason, 3 userdata, 4 pause, 5 meter.
void controller2(ActionReader&, Reader& in, Actions& out) {
    Controller to;
    if (!Reader(in.take(6), error::kActionLen).zeros()) throw error::kMustBeZero;
    while (in.left() != 0) {
        if (in.left() < 4) throw error::kPropertyLen;
        const uint16_t type = be16(in.rest().data()), length = be16(in.rest().data() + 2);
        const size_t padded = (length + size_t{7}) / 8 * 8;
        if (length < 4 || padded > in.left()) throw error::kPropertyLen;
        Reader value(in.take(padded).subspan(4, length - size_t{4}), error::kPropertyLen);
        switch (type) {
            case 0:
                to.max_len = value.u16();
                break;
            case 1:
                to.id = value.u16();
                break;
            case 2:
                to.reason = value.u8();
                break;
            case 3: {
                const Bytes bytes = value.take(value.left());
                to.userdata = std::make_shared<const std::vector<uint8_t>>(bytes.begin(), bytes.end());
                break;
            }
            case 5:
                to.meter = static_cast<int32_t>(value.u32());
                break;
            default:
                throw error::kPropertyType;  // pause, too: packets are never held back for a controller
        }
        if (value.left() != 0 && !value.zeros()) throw error::kPropertyLen;
    }
    out.push_back({std::move(to)});
}

void dec_ttl_ids(ActionReader&, Reader& in, Actions& out) {
    const uint16_t n = in.u16();
    if (!Reader(in.take(4), error::kActionLen).zeros()) throw error::kActionMustBeZero;
    if (n == 0) throw error::kActionArgument;
    auto ids = std::make_shared<std::vector<uint16_t>>();
    for (unsigned i = 0; i < n; i++) ids->push_back(in.u16());
    out.push_back({DecTtl{std::move(ids)}});
}

void write_metadata(ActionReader& reader, Reader& in, Actions&) {
    if (reader.metadata == nullptr) throw error::kUnsupInst;  // in a group's bucket, a clone or a packet-out
    if (!Reader(in.take(6), error::kActionLen).zeros()) throw error::kActionMustBeZero;
    const Be64 value = Be64::of(in.u64()), mask = Be64::of(in.u64());
    reader.metadata->has_metadata = true;
    reader.metadata->metadata = {value.raw & mask.raw};
    reader.metadata->metadata_mask = mask;
}

Bits stack_bits(Reader& in) {
    const uint16_t from = in.u16();
    const Field* field = pull_header(in);
    return to_bits(field, from, in.u16());
}

void push(ActionReader&, Reader& in, Actions& out) { out.push_back({StackPush{stack_bits(in)}}); }

void pop(ActionReader&, Reader& in, Actions& out) {
    const StackPop pop{stack_bits(in)};
    writable(pop.bits);
    out.push_back({pop});
}

void sample(ActionReader&, Reader& in, Actions& out) {
    const uint16_t probability = in.u16();
    if (probability == 0) throw error::kActionArgument;
    const uint32_t set = in.u32(), domain = in.u32();
    out.push_back({Sample{probability, set, domain, in.u32()}});
}

void conjunction(ActionReader&, Reader& in, Actions& out) {
    const uint8_t clause = in.u8(), clauses = in.u8();
    if (clauses < 2 || clauses > 64 || clause >= clauses) throw error::kBadConjunction;
    out.push_back({Conjunction{in.u32(), clause, clauses}});
}

void output_trunc(ActionReader&, Reader& in, Actions& out) {
    const uint32_t port = port_from10(in.u16());
    const uint32_t max_len = in.u32();
    if (max_len < 14) throw error::kActionArgument;  // an Ethernet header is the least
    if (port >= kPort10Max && port != kPortInPort && port != kPortLocal) throw error::kActionOutPort;
    out.push_back({OutputTrunc{port, max_len}});
}

void clone(ActionReader& reader, Reader& in, Actions& out) {
    in.skip(6);
    ActionReader inner{reader.version, nullptr, reader.depth + 1};
    out.push_back({Clone{std::make_shared<const Actions>(inner.list(in.rest()))}});
}

void mpls_push(ActionReader&, Reader& in, Actions& out) {
    const uint16_t type = in.u16();
    if (type != 0x8847 && type != 0x8848) throw error::kActionArgument;
    out.push_back({PushMpls{Be16::of(type)}});
}

void mpls_label(ActionReader&, Reader& in, Actions& out) {
    in.skip(2);
    const uint32_t label = in.u32();
    if (label >> 20) throw error::kActionArgument;
    out.push_back({number_field("mpls_label", label)});
}

void mpls_tc(ActionReader&, Reader& in, Actions& out) {
    const uint8_t tc = in.u8();
    if (tc >> 3) throw error::kActionArgument;
    out.push_back({number_field("mpls_tc", tc)});
}

constexpr Row kRows[] = {
    {1, 16, false, false, resubmit},
    {2, 16, false, false, set_tunnel},
    {4, 16, false, true, set_queue},
    {5, 16, false, false, [](ActionReader&, Reader&, Actions& out) { out.push_back({PopQueue{}}); }},
    {6, 24, true, false, move},
    {7, 24, false, false, load},
    {8, 16, true, false, note},
    {9, 24, false, false, set_tunnel64},
    {10, 32, false, false, multipath},
    {12, 32, true, false, [](ActionReader&, Reader& in, Actions& out) { bundle_of(in, out, false); }},
    {13, 32, true, false, [](ActionReader&, Reader& in, Actions& out) { bundle_of(in, out, true); }},
    {14, 16, false, false, resubmit_table},
    {15, 24, false, false, output_reg},
    {16, 32, true, false,
     [](ActionReader&, Reader& in, Actions& out) { out.push_back({LearnAction{pull_learn(in)}}); }},
    {17, 16, false, false, [](ActionReader&, Reader&, Actions& out) { out.push_back({Exit{}}); }},
    {18, 16, false, true, [](ActionReader&, Reader&, Actions& out) { out.push_back({DecTtl{}}); }},
    {19, 16, false, false, fin_timeout},
    {20, 16, false, false, controller},
    {21, 16, true, false, dec_ttl_ids},
    {22, 32, false, false, write_metadata},
    {23, 16, false, true, mpls_push},
    {24, 16, false, true,
     [](ActionReader&, Reader& in, Actions& out) { out.push_back({PopMpls{Be16::of(in.u16())}}); }},
    {25, 16, false, true, [](ActionReader&, Reader& in, Actions& out) { out.push_back({SetMplsTtl{in.u8()}}); }},
    {26, 16, false, true, [](ActionReader&, Reader&, Actions& out) { out.push_back({DecMplsTtl{}}); }},
    {27, 24, false, false, push},
    {28, 24, false, false, pop},
    {29, 24, false, false, sample},
    {30, 16, false, true, mpls_label},
    {31, 16, false, true, mpls_tc},
    {32, 24, false, false, output_reg2},
    {33, 16, true, false, load2},
    {34, 16, false, false, conjunction},
    {37, 16, true, false, controller2},
    {39, 16, false, false, output_trunc},
    {40, 16, false, true, group},
    {42, 16, true, false, clone},
};

}  // namespace

Bits to_bits(const Field* field, unsigned from, unsigned n) {
    if (n == 0 || from >= field->bits || n > field->bits - from) throw error::kSetLen;
    return {field, static_cast<uint16_t>(from), static_cast<uint16_t>(n)};
}

void pull_nicira(ActionReader& reader, Bytes action, Actions& out) {
    if (be32(action.data() + 4) != kNiciraVendor) throw error::kActionVendor;
    if (action.size() < 16) throw error::kActionLen;
    const uint16_t subtype = be16(action.data() + 8);
    const auto* row = std::ranges::find(kRows, subtype, &Row::subtype);
    if (row == std::end(kRows) || (row->only10 && reader.version != kOf10)) throw error::kActionVendorType;
    if (action.size() % 8 != 0 || action.size() < row->length || (action.size() > row->length && !row->longer))
        throw error::kActionLen;
    Reader in(action.subspan(10), error::kActionLen);
    row->decode(reader, in, out);
}

}  // namespace turnout::of
