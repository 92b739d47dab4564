// SPDX-License-Identifier: Apache-2.0
// Actions to the wire, in the spelling that the controller used where the version has it, else as Open vSwitch
// translates them.
#include "engine/openflow/codec_parts.hpp"

namespace turnout::of {
namespace {

constexpr uint16_t kSetFieldType = 25;

// An action of 8 bytes: up to 4 of an argument. One of 16: up to 12.
void put_plain(Wire& out, uint16_t type, uint32_t argument = 0, unsigned bytes = 0) {
    put16(out, type);
    put16(out, 8);
    put32(out, bytes == 0 ? 0 : argument << (32 - 8 * bytes));
}

void put_nicira8(Wire& out, uint16_t subtype, uint8_t argument) {
    const size_t start = start_nicira(out, subtype);
    put8(out, argument);
    end_action(out, start);
}
void put_nicira16(Wire& out, uint16_t subtype, uint16_t argument) {
    const size_t start = start_nicira(out, subtype);
    put16(out, argument);
    end_action(out, start);
}
void put_nicira32(Wire& out, uint16_t subtype, uint32_t argument) {
    const size_t start = start_nicira(out, subtype);
    zeros(out, 2);
    put32(out, argument);
    end_action(out, start);
}

uint16_t offset_and_n(const Bits& bits) { return static_cast<uint16_t>(bits.from << 6 | (bits.n - 1)); }

void put_load(Wire& out, const Bits& to, uint64_t value) {
    const size_t start = start_nicira(out, 7);
    put16(out, offset_and_n(to));
    put_bits_header(out, to);
    put64(out, value);
    end_action(out, start);
}

// The mask as the controller gave it: that of a whole nw_tos includes the ECN, which it does not touch.
std::array<uint8_t, 16> wire_mask(const SetField& set) {
    std::array<uint8_t, 16> mask = set.mask;
    if (set.field->name == "nw_tos" && mask[0] == 0xfc) mask[0] = 0xff;
    return mask;
}

// One load for each run of bits that the mask has, of at most 64 bits.
void put_loads(Wire& out, const SetField& set) {
    const Field& field = *set.field;
    const auto mask = wire_mask(set);
    const auto masked = [&](unsigned bit) { return get_bits(mask.data(), field, bit, 1) != 0; };
    for (unsigned bit = 0; bit < field.bits;) {
        if (!masked(bit)) {
            bit++;
            continue;
        }
        unsigned n = 1;
        while (n < 64 && bit + n < field.bits && masked(bit + n)) n++;
        put_load(out, {&field, static_cast<uint16_t>(bit), static_cast<uint16_t>(n)},
                 get_bits(set.value.data(), field, bit, n));
        bit += n;
    }
}

void put_load2(Wire& out, const SetField& set) {
    const size_t start = start_nicira(out, 33);
    put_entry(out, set.field->nxm_first(), *set.field, set.value.data(), wire_mask(set).data());
    end_action(out, start);
}

void put_set_field(Wire& out, const SetField& set) {
    const size_t start = out.size();
    put16(out, kSetFieldType);
    put16(out, 0);
    put_entry(out, set.field->oxm_first(), *set.field, set.value.data(), set.mask.data());
    end_action(out, start);
}

// OpenFlow 1.0's action for a field, or 0: it has none.
uint16_t type10(const Field& field, bool legacy) {
    static constexpr std::pair<std::string_view, uint16_t> kTypes[] = {
        {"vlan_vid", 1}, {"vlan_pcp", 2}, {"eth_src", 4},  {"eth_dst", 5},   {"ip_src", 6},
        {"ip_dst", 7},   {"nw_tos", 8},   {"ip_dscp", 8},  {"tcp_src", 9},   {"udp_src", 9},
        {"tcp_dst", 10}, {"udp_dst", 10}, {"sctp_src", 9}, {"sctp_dst", 10},
    };
    for (const auto& [name, type] : kTypes)
        if (name == field.name) return field.prereq == Prereq::Sctp && !legacy ? 0 : type;
    return 0;
}

// A field that came in an action of Nicira's own. False: not this one.
bool put_nicira_set(Wire& out, const SetField& set, uint64_t value) {
    const auto number = static_cast<uint32_t>(value);
    if (set.spelled == SetField::Legacy64 || (set.field->name == "tun_id" && value >> 32)) {
        const size_t start = start_nicira(out, 9);
        zeros(out, 6);
        put64(out, value);
        end_action(out, start);
    } else if (set.field->name == "tun_id") {
        put_nicira32(out, 2, number);
    } else if (set.field->name == "mpls_label") {
        put_nicira32(out, 30, number);
    } else if (set.field->name == "mpls_tc") {
        put_nicira8(out, 31, static_cast<uint8_t>(value));
    } else {
        return false;
    }
    return true;
}

void put_set10(Wire& out, const SetField& set) {
    const Field& field = *set.field;
    const bool legacy = set.spelled == SetField::Legacy || set.spelled == SetField::Legacy64;
    const uint16_t type = type10(field, legacy);
    const uint64_t value = field.bits > 64 ? 0 : get_bits(set.value.data(), field, 0, field.bits);
    const auto number = static_cast<uint32_t>(value);
    switch (type) {
        case 1:
            return put_plain(out, type, number & 0xfff, 2);
        case 2:
            return put_plain(out, type, number, 1);
        case 4:
        case 5:
            put16(out, type);
            put16(out, 16);
            put(out, set.value.data(), 6);
            return zeros(out, 6);
        case 6:
        case 7:
            return put_plain(out, type, number, 4);
        case 8:
            return put_plain(out, type, field.bits == 6 ? number << 2 : number, 1);
        case 9:
        case 10:
            return put_plain(out, type, number, 2);
        default:
            if (!legacy || !put_nicira_set(out, set, value)) put_loads(out, set);
    }
}

class Encoder {
public:
    Encoder(Wire& out, uint8_t version) : out_(out), version_(version), old_(version == kOf10) {}

    void operator()(const Output& a) {
        if (old_) return put_plain(out_, 0, uint32_t{port_to10(a.port)} << 16 | a.max_len, 4);
        put16(out_, 0);
        put16(out_, 16);
        put32(out_, a.port);
        put16(out_, a.max_len);
        zeros(out_, 6);
    }
    void operator()(const Enqueue& a) {
        if (!old_) {
            (*this)(SetQueue{a.queue});
            (*this)(Output{a.port, 0xffff});
            return (*this)(PopQueue{});
        }
        put16(out_, 11);
        put16(out_, 16);
        put16(out_, port_to10(a.port));
        zeros(out_, 6);
        put32(out_, a.queue);
    }
    void operator()(const ToGroup& a) { old_ ? put_nicira32(out_, 40, a.group) : put_plain(out_, 22, a.group, 4); }
    void operator()(const SetQueue& a) { old_ ? put_nicira32(out_, 4, a.queue) : put_plain(out_, 21, a.queue, 4); }

    void operator()(const SetField& a) {
        if (a.spelled == SetField::Load) return put_loads(out_, a);
        if (a.spelled == SetField::Load2) return put_load2(out_, a);
        if (old_) return put_set10(out_, a);
        if (a.spelled == SetField::Legacy && a.field->name == "nw_ttl") return put_plain(out_, 23, a.value[0], 1);
        put_set_field(out_, a);
    }
    void operator()(const SetVlanVid& a) {
        if (old_) return put_plain(out_, 1, a.vid, 2);
        if (!a.tagged) (*this)(PushVlan{Be16::of(0x8100)});
        put_number("vlan_vid", a.vid | 0x1000u);
    }
    void operator()(const SetVlanPcp& a) {
        if (old_) return put_plain(out_, 2, a.pcp, 1);
        if (!a.tagged) (*this)(PushVlan{Be16::of(0x8100)});
        put_number("vlan_pcp", a.pcp);
    }
    void operator()(const PushVlan& a) {
        if (!old_) put_plain(out_, 17, a.tpid.host(), 2);  // 1.0: the set_vlan_vid that must follow pushes
    }
    void operator()(const PopVlan&) { put_plain(out_, old_ ? 3 : 18); }
    void operator()(const PushMpls& a) { ether_type(23, 19, a.eth_type); }
    void operator()(const PopMpls& a) { ether_type(24, 20, a.eth_type); }
    void operator()(const SetMplsTtl& a) { old_ ? put_nicira8(out_, 25, a.ttl) : put_plain(out_, 15, a.ttl, 1); }
    void operator()(const DecMplsTtl&) { old_ ? put_nicira8(out_, 26, 0) : put_plain(out_, 16); }
    void operator()(const PushPbb& a) { only_new(26, a.tpid.host(), 2); }
    void operator()(const PopPbb&) { only_new(27); }
    void operator()(const CopyTtlOut&) { only_new(11); }
    void operator()(const CopyTtlIn&) { only_new(12); }
    void operator()(const DecTtl& a) {
        if (!a.controllers) return old_ ? put_nicira8(out_, 18, 0) : put_plain(out_, 24);
        const size_t start = start_nicira(out_, 21);
        put16(out_, static_cast<uint16_t>(a.controllers->size()));
        zeros(out_, 4);
        for (const uint16_t id : *a.controllers) put16(out_, id);
        end_action(out_, start);
    }
    template <typename Nicira>
    void operator()(const Nicira& a) {
        put_nicira(out_, version_, {a});
    }

private:
    void put_number(std::string_view name, uint64_t number) {
        const Field& field = *turnout::find_field(name);
        SetField set{&field, {}, {}, SetField::Set};
        set_bits(set.value.data(), field, 0, field.bits, number);
        set_bits(set.mask.data(), field, 0, field.bits, ~uint64_t{0});
        put_set_field(out_, set);
    }
    void ether_type(uint16_t nicira, uint16_t type, Be16 argument) {
        old_ ? put_nicira16(out_, nicira, argument.host()) : put_plain(out_, type, argument.host(), 2);
    }
    // 1.0 has no word for it, and neither has Nicira.
    void only_new(uint16_t type, uint32_t argument = 0, unsigned bytes = 0) {
        if (!old_) put_plain(out_, type, argument, bytes);
    }

    Wire& out_;
    const uint8_t version_;
    const bool old_;  // OpenFlow 1.0
};

}  // namespace

size_t start_nicira(Wire& out, uint16_t subtype) {
    const size_t start = out.size();
    put16(out, kVendorAction);
    put16(out, 0);
    put32(out, kNiciraVendor);
    put16(out, subtype);
    return start;
}

void end_action(Wire& out, size_t start) {
    pad8(out, start);
    set16(out, start + 2, out.size() - start);
}

void encode_actions(Wire& out, uint8_t version, const Actions& actions) {
    Encoder encoder(out, version);
    for (const Action& action : actions) std::visit(encoder, action.is);
}

}  // namespace turnout::of
