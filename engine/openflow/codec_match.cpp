// SPDX-License-Identifier: Apache-2.0
// NXM and OXM matches (OpenFlow 1.3.5, section 7.2.3; nicira-ext): entries straight into the words of value and mask.
#include "engine/openflow/codec_parts.hpp"

namespace turnout::of {
namespace {

constexpr uint32_t kMaskBit = 0x100;
constexpr uint32_t kCookieHeader = oxm_header(1, 30, 8), kCookieMasked = oxm_header(1, 30, 16) | kMaskBit;

enum class Kind : uint8_t { Whole, Number, Port10, Port, PhyPort, Tos, VlanPcp, ArpOp, TunFlags };

// A header's slot, with what pull_fields() must know of it at hand.
struct MatchSlot {
    const Field* field;
    uint64_t width;  // of numbers: the bits that a value may have
    uint16_t offset;
    uint8_t bytes, key_bytes, shift;
    Kind kind;
    bool prereq, maskable;
};

Kind kind_of(const Field& field, uint32_t header, bool whole) {
    if (field.name == "in_port_nxm") return Kind::Port10;
    if (field.name == "in_port") return Kind::Port;
    if (field.name == "in_phy_port") return Kind::PhyPort;
    if (field.name == "vlan_pcp") return Kind::VlanPcp;
    if (field.name == "arp_op") return Kind::ArpOp;
    if (field.name == "tun_flags") return Kind::TunFlags;
    return header == oxm_header(0, 5, 1) ? Kind::Tos : whole ? Kind::Whole : Kind::Number;
}

// By the class's index (codec_fields.cpp has the same classes) and the field's number.
struct MatchSlots {
    std::array<std::array<MatchSlot, 128>, 4> of{};

    static size_t class_of(uint32_t header) { return (header >> 30 & 2) | (header >> 16 & 1); }
    MatchSlots() {
        for (const Field& field : fields())
            for (const uint32_t header : {field.oxm, field.nxm}) {
                if (header == 0) continue;
                const Slot slot = find_slot(header);
                const bool needs =
                    field.prereq != Prereq::None && field.prereq != Prereq::Pushed && field.prereq != Prereq::Vlan;
                of[class_of(header)][header >> 9 & 0x7f] = {
                    &field,
                    field.bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << field.bits) - 1,
                    field.offset,
                    slot.bytes,
                    field.bytes,
                    field.shift,
                    kind_of(field, header, slot.whole),
                    needs,
                    field.maskable};
            }
    }
    const MatchSlot* find(uint32_t header) const {
        if ((header >> 16 & 0x7ffe) != 0) return nullptr;
        const MatchSlot& slot = of[class_of(header)][header >> 9 & 0x7f];
        return slot.field ? &slot : nullptr;
    }
};

const MatchSlots& match_slots() {
    static const MatchSlots slots;
    return slots;
}

uint64_t number(const uint8_t* at, unsigned bytes) {
    if (bytes == 1) return *at;
    if (bytes == 2) return be16(at);
    if (bytes == 4) return be32(at);
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) value = value << 8 | at[i];
    return value;
}

bool all(const uint8_t* at, unsigned bytes, uint8_t what) {
    for (unsigned i = 0; i < bytes; i++)
        if (at[i] != what) return false;
    return true;
}

// ORs a number into the big-endian bytes of a key's field.
void or_number(uint8_t* at, unsigned bytes, uint64_t value) {
    for (unsigned i = bytes; i-- > 0; value >>= 8) at[i] = static_cast<uint8_t>(at[i] | value);
}

template <typename Word>
void set_word(const uint8_t* value, const uint8_t* mask, uint8_t* to, uint8_t* to_mask) {
    const Word ones = mask ? load<Word>(mask) : static_cast<Word>(~Word{0});
    if (load<Word>(to_mask) != 0) throw error::kMatchDup;
    std::memcpy(to, value, sizeof ones);
    std::memcpy(to_mask, &ones, sizeof ones);
}

void set_whole(const MatchSlot& slot, const uint8_t* value, const uint8_t* mask, uint8_t* to, uint8_t* to_mask) {
    const auto part = [&]<typename Word>(Word, unsigned at) {
        set_word<Word>(value + at, mask ? mask + at : nullptr, to + at, to_mask + at);
    };
    switch (slot.bytes) {
        case 1:
            return part(uint8_t{}, 0);
        case 2:
            return part(uint16_t{}, 0);
        case 4:
            return part(uint32_t{}, 0);
        case 6:
            part(uint32_t{}, 0);
            return part(uint16_t{}, 4);
        case 16:
            part(uint64_t{}, 8);
            [[fallthrough]];
        default:
            return part(uint64_t{}, 0);
    }
}

void set_number(const MatchSlot& slot, const uint8_t* value, const uint8_t* mask, uint8_t* to, uint8_t* to_mask) {
    uint64_t v = number(value, slot.bytes);
    uint64_t m = (mask ? number(mask, slot.bytes) : ~uint64_t{0}) & slot.width;
    unsigned shift = slot.shift;
    switch (slot.kind) {
        case Kind::Port10:
            v = port_from10(static_cast<uint16_t>(v));
            m = m ? 0xffffffff : 0;
            break;
        case Kind::Port:
        case Kind::PhyPort:
            port_from13(static_cast<uint32_t>(v), error::kMatchValue);
            break;
        case Kind::ArpOp:
            if (v >> 8) throw error::kMatchValue;
            break;
        case Kind::TunFlags:
            if (v >> 1) throw error::kMatchValue;  // OAM is the only one
            break;
        case Kind::Tos:
            if (v & 3) throw error::kMatchValue;
            m &= 0xfc;
            break;
        default:
            if (v & ~slot.width) throw error::kMatchValue;
    }
    if (number(to_mask, slot.key_bytes) >> shift & slot.width) throw error::kMatchDup;
    or_number(to, slot.key_bytes, v << shift);
    or_number(to_mask, slot.key_bytes, m << shift);
}

void set_field(const MatchSlot& slot, const uint8_t* value, const uint8_t* mask, Match& match) {
    if (mask) {
        for (unsigned i = 0; i < slot.bytes; i++)
            if (value[i] & ~mask[i]) throw error::kMatchWildcards;
        if (!slot.maskable && !all(mask, slot.bytes, 0) && !all(mask, slot.bytes, 0xff)) throw error::kMatchMask;
    }
    const bool met = slot.kind == Kind::VlanPcp   ? (match.value.eth.vlan[0].tci.raw & kVlanPresent.raw) != 0
                     : slot.kind == Kind::PhyPort ? match.mask.arrival.in_port != Be32{}
                                                  : !slot.prereq || applies(*slot.field, match.value);
    uint8_t* to = reinterpret_cast<uint8_t*>(&match.value) + slot.offset;
    uint8_t* to_mask = reinterpret_cast<uint8_t*>(&match.mask) + slot.offset;
    if (!met) throw error::kMatchPrereq;
    if (slot.kind == Kind::Whole)
        set_whole(slot, value, mask, to, to_mask);
    else
        set_number(slot, value, mask, to, to_mask);
}

void set_cookie(const uint8_t* at, bool masked, Cookie& cookie) {
    if (cookie.mask) throw error::kMatchDup;
    cookie.value = be64(at);
    cookie.mask = masked ? be64(at + 8) : ~uint64_t{0};
    if (cookie.value & ~cookie.mask) throw error::kMatchWildcards;
}

// A field that replies name, and the words of the key that it lies in.
struct ReplyField {
    const Field* field;
    uint64_t words;
    explicit ReplyField(const Field& of) : field(&of) {
        const unsigned first = of.offset / 8u, last = (of.offset + of.bytes - 1u) / 8;
        words = (uint64_t{2} << last) - (uint64_t{1} << first);
    }
};
static_assert(kKeyWords < 64);

// In an order in which each comes behind its prerequisites.
const std::vector<ReplyField>& reply_fields() {
    static const std::vector<ReplyField> listed = [] {
        std::vector<ReplyField> list;
        const auto add = [&](auto&& wanted) {
            for (const Field& field : fields())
                if (!field.view && (field.oxm || field.nxm) && wanted(field)) list.emplace_back(field);
        };
        const auto free = [](const Field& f) { return f.prereq == Prereq::None || f.prereq == Prereq::Pushed; };
        add(free);
        add([&](const Field& f) { return !free(f); });
        return list;
    }();
    return listed;
}

uint64_t words_of(const FlowKey& mask) {
    uint64_t words = 0;
    for (size_t i = 0; i < kKeyWords; i++) words |= uint64_t{word(mask, i) != 0} << i;
    return words;
}

void put_vlan(Wire& out, const Match& match) {
    static const Field& vid = *turnout::find_field("vlan_vid");
    static const Field& pcp = *turnout::find_field("vlan_pcp");
    const auto* value = reinterpret_cast<const uint8_t*>(&match.value.eth.vlan[0].tci);
    const auto* mask = reinterpret_cast<const uint8_t*>(&match.mask.eth.vlan[0].tci);
    if (be16(mask) & 0x1fff) put_entry(out, vid.oxm, vid, value, mask);
    if ((be16(value) & kVlanPresent.host()) && be16(mask) & 0xe000) {
        const uint8_t whole[2] = {0xe0, 0};
        put_entry(out, pcp.oxm, pcp, value, whole);
    }
}

}  // namespace

bool prereq_met(const Field& field, const FlowKey& value) {
    if (field.prereq == Prereq::Vlan) return (value.eth.vlan[0].tci.raw & kVlanPresent.raw) != 0;
    return applies(field, value);
}

constexpr uint32_t kPacketType = 0x80005804;

void pull_fields(Bytes entries, Match& match, Cookie* cookie, bool strict) {
    const MatchSlots& slots = match_slots();
    while (!entries.empty()) {
        if (entries.size() < 4) throw error::kMatchLen;
        uint32_t header = be32(entries.data());
        const size_t length = header & 0xff;
        if (entries.size() < 4 + length) throw error::kMatchLen;
        const uint8_t* value = entries.data() + 4;
        entries = entries.subspan(4 + length);

        if (cookie && (header == kCookieHeader || header == kCookieMasked)) {
            set_cookie(value, header == kCookieMasked, *cookie);
            continue;
        }
        if (header >> 16 == 0xffff) {  // an experimenter's: ONF's tcp_flags is the only one that is known
            if (length < 4) throw error::kMatchLen;
            const bool onf = be32(value) == kOnfVendor && (header >> 9 & 0x7f) == 42;
            header = onf ? oxm_header(0x8000, 42, 0) | (header & kMaskBit) | static_cast<uint32_t>(length - 4) : ~0u;
            value += 4;
        }
        if (header == kPacketType) {  // OpenFlow 1.5's, which ovs-ofctl sends to all: Ethernet is all there is
            if (be32(value) != 0) throw error::kMatchValue;
            continue;
        }
        const MatchSlot* slot = slots.find(header);
        if (slot == nullptr) {
            const uint32_t number = header >> 9;
            if (number >= (0x10000 >> 9) + 40 && number < (0x10000 >> 9) + 104) throw error::kInvalidTlvField;
            if (strict) throw error::kMatchField;
            continue;
        }
        const uint8_t* mask = header & kMaskBit ? value + slot->bytes : nullptr;
        if ((header & 0xff) != (mask ? 2u : 1u) * slot->bytes) throw error::kMatchLen;
        set_field(*slot, value, mask, match);
    }
}

void pull_oxm_match(Reader& in, Match& match) {
    if (in.left() < 4) throw error::kMatchLen;
    const uint16_t type = be16(in.rest().data()), length = be16(in.rest().data() + 2);
    if (type != 1) throw error::kMatchType;
    const size_t padded = (length + size_t{7}) / 8 * 8;
    if (length < 4 || padded > in.left()) throw error::kMatchLen;
    pull_fields(in.take(padded).subspan(4, length - size_t{4}), match, nullptr, true);
}

void pull_nxm_match(Reader& in, size_t bytes, Match& match, Cookie& cookie) {
    const size_t padded = (bytes + 7) / 8 * 8;
    if (padded > in.left()) throw error::kMatchLen;
    pull_fields(in.take(padded).first(bytes), match, &cookie, true);
}

void put_fields(Wire& out, FlowFormat format, const Match& match) {
    const bool oxm = format == FlowFormat::Oxm;
    const auto* value = reinterpret_cast<const uint8_t*>(&match.value);
    const auto* mask = reinterpret_cast<const uint8_t*>(&match.mask);
    const uint64_t words = words_of(match.mask);
    for (const auto& [field, in_words] : reply_fields()) {
        if ((words & in_words) == 0) continue;
        const uint8_t* at = mask + field->offset;
        if (all(at, field->bytes, 0)) continue;
        if (oxm && field->nxm == oxm_header(0, 4, 2)) {  // vlan_tci
            put_vlan(out, match);
            continue;
        }
        if (field->prereq != Prereq::Vlan && !applies(*field, match.value)) continue;
        if (field->bits < 8 * field->bytes && get_bits(at, *field, 0, field->bits) == 0) continue;
        if (!oxm && field->offset == offsetof(FlowKey, arrival.in_port)) {
            put32(out, oxm_header(0, 0, 2));
            put16(out, port_to10(match.value.arrival.in_port.host()));
        } else if (!oxm && field->oxm == oxm_header(0x8000, 8, 1)) {  // ip_dscp, as NXM_OF_IP_TOS
            put32(out, oxm_header(0, 5, 1));
            put8(out, static_cast<uint8_t>(value[field->offset] & 0xfc));
        } else {
            put_entry(out, oxm ? field->oxm_first() : field->nxm_first(), *field, value + field->offset, at);
        }
    }
}

Match decode_fields(Bytes entries, bool strict) {
    Match match;
    pull_fields(entries, match, nullptr, strict);
    return match;
}

void encode_match(Wire& out, uint8_t, FlowFormat format, const Match& match) {
    const size_t start = out.size();
    switch (format) {
        case FlowFormat::Of10:
        case FlowFormat::Of10TableId:
            put_match10(out, match);
            return;
        case FlowFormat::Nxm:
        case FlowFormat::NxmTableId:
            put_fields(out, format, match);
            return;
        case FlowFormat::Oxm:
            put16(out, 1);
            put16(out, 0);
            put_fields(out, format, match);
            set16(out, start + 2, out.size() - start);
            pad8(out, start);
    }
}

}  // namespace turnout::of
