// SPDX-License-Identifier: Apache-2.0
// NXM and OXM headers and entries: which field a header is, and how its value lies in the key.
#include <array>

#include "engine/openflow/codec_parts.hpp"

namespace turnout::of {
namespace {

constexpr uint32_t kMaskBit = 0x100;
constexpr uint32_t kExperimenter = 0xffff;

// A table for each class that has fields, by the number of the field.
constexpr int class_index(uint32_t oxm_class) {
    switch (oxm_class) {
        case 0x0000:
            return 0;
        case 0x0001:
            return 1;
        case 0x8000:
            return 2;
        case 0x8001:
            return 3;
        default:
            return -1;
    }
}

using Slots = std::array<std::array<Slot, 128>, 4>;

Slots make_slots() {
    Slots slots{};
    for (const Field& field : fields())
        for (const uint32_t header : {field.oxm, field.nxm}) {
            if (header == 0) continue;
            const auto bytes = static_cast<uint8_t>(header & 0xff);
            const bool whole = field.bits == 8 * field.bytes && bytes == field.bytes;
            slots[static_cast<size_t>(class_index(header >> 16))][header >> 9 & 0x7f] = {&field, bytes, whole};
        }
    return slots;
}

const Slots kSlots = make_slots();

using Wide = unsigned __int128;

uint64_t low_bits(unsigned n) { return n >= 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1; }

Wide wide_number(const uint8_t* at, unsigned bytes) {
    if (bytes == 2) return be16(at);
    if (bytes == 4) return be32(at);
    Wide value = 0;
    for (unsigned i = 0; i < bytes; i++) value = value << 8 | at[i];
    return value;
}

uint64_t number(const uint8_t* at, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) value = value << 8 | at[i];
    return value;
}

}  // namespace

Slot find_slot(uint32_t header) {
    const int at = class_index(header >> 16);
    return at < 0 ? Slot{} : kSlots[static_cast<size_t>(at)][header >> 9 & 0x7f];
}

uint64_t get_bits(const uint8_t* at, const Field& field, unsigned from, unsigned n) {
    return static_cast<uint64_t>(wide_number(at, field.bytes) >> (field.shift + from)) & low_bits(n);
}

void set_bits(uint8_t* at, const Field& field, unsigned from, unsigned n, uint64_t value) {
    const unsigned shift = field.shift + from;
    const Wide mask = Wide{low_bits(n)} << shift;
    Wide number = (wide_number(at, field.bytes) & ~mask) | (Wide{value} << shift & mask);
    for (unsigned i = field.bytes; i-- > 0; number >>= 8) at[i] = static_cast<uint8_t>(number);
}

const Field* pull_header(Reader& in) {
    const uint32_t header = in.u32();
    if (header >> 16 == kExperimenter) {
        const bool tcp_flags = in.u32() == kOnfVendor && (header >> 9 & 0x7f) == 42;
        if (!tcp_flags) throw error::kSetType;
        return find_slot(oxm_header(0x8000, 42, 2)).field;
    }
    const Slot slot = find_slot(header);
    if (slot.field == nullptr) throw error::kSetType;
    if ((header & 0x1ff) != slot.bytes) throw error::kSetLen;
    return slot.field;
}

Entry pull_entry(Reader& in) {
    uint32_t header = in.u32();
    unsigned length = header & 0xff;
    Slot slot;
    if (header >> 16 == kExperimenter) {
        if (length < 4) throw error::kMatchLen;
        length -= 4;
        if (in.u32() == kOnfVendor && (header >> 9 & 0x7f) == 42) slot = find_slot(oxm_header(0x8000, 42, 2));
    } else {
        slot = find_slot(header);
    }
    if (slot.field == nullptr) throw error::kSetType;

    Entry entry{slot.field, {}, {}, (header & kMaskBit) != 0};
    if (length != (entry.masked ? 2u : 1u) * slot.bytes) throw error::kSetLen;
    const uint8_t* at = in.take(length).data();
    const Field& field = *slot.field;
    if (slot.whole) {
        std::memcpy(entry.value.data(), at, slot.bytes);
        if (entry.masked)
            std::memcpy(entry.mask.data(), at + slot.bytes, slot.bytes);
        else
            std::memset(entry.mask.data(), 0xff, slot.bytes);
        for (unsigned i = 0; i < slot.bytes; i++)
            if (entry.value[i] & ~entry.mask[i]) throw error::kMatchWildcards;
        return entry;
    }
    const uint64_t value = number(at, slot.bytes);
    const uint64_t mask = entry.masked ? number(at + slot.bytes, slot.bytes) : ~uint64_t{0};
    if (value & ~mask) throw error::kMatchWildcards;
    if (value & ~low_bits(field.bits)) throw error::kSetArgument;
    set_bits(entry.value.data(), field, 0, field.bits, value);
    set_bits(entry.mask.data(), field, 0, field.bits, mask);
    return entry;
}

void put_entry(Wire& out, uint32_t header, const Field& field, const uint8_t* value, const uint8_t* mask) {
    const unsigned bytes = header & 0xff;
    const bool onf = field.onf && header == field.oxm;
    uint8_t entry[8 + 2 * 16];
    uint8_t* const at = entry + (onf ? 8 : 4);
    bool exact = true;
    if (field.bits == 8 * field.bytes && bytes == field.bytes) {
        std::memcpy(at, value, bytes);
        std::memcpy(at + bytes, mask, bytes);
        for (unsigned i = 0; i < bytes; i++) exact &= mask[i] == 0xff;
    } else {
        const uint64_t of_mask = get_bits(mask, field, 0, field.bits);
        exact = of_mask == low_bits(field.bits);
        const Be64 numbers[] = {Be64::of(get_bits(value, field, 0, field.bits)), Be64::of(of_mask)};
        for (unsigned i = 0; i < 2; i++)
            std::memcpy(at + i * bytes, reinterpret_cast<const uint8_t*>(&numbers[i]) + 8 - bytes, bytes);
    }
    const unsigned payload = exact ? bytes : 2 * bytes;
    const Be32 head =
        Be32::of((onf ? header | 0xffff0000 : header) >> 9 << 9 | (exact ? 0 : kMaskBit) | (payload + (onf ? 4 : 0)));
    const Be32 experimenter = Be32::of(kOnfVendor);
    std::memcpy(entry, &head, sizeof head);
    if (onf) std::memcpy(entry + 4, &experimenter, sizeof experimenter);
    put(out, entry, static_cast<size_t>(at - entry) + payload);
}

void put_bits_header(Wire& out, const Bits& bits) { put32(out, bits.field->nxm_first()); }

}  // namespace turnout::of
