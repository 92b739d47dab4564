// SPDX-License-Identifier: Apache-2.0
// Runs of bits within a key's fields, as move, load, stack and register actions want them.
#pragma once

#include "engine/openflow/action.hpp"

namespace turnout {

using Wide = unsigned __int128;  // the longest field

inline Wide ones(unsigned n) { return n >= 128 ? ~Wide{0} : (Wide{1} << n) - 1; }

inline Wide read_field(const Field& field, const FlowKey& key) {
    const uint8_t* at = reinterpret_cast<const uint8_t*>(&key) + field.offset;
    Wide number = 0;
    for (unsigned i = 0; i < field.bytes; i++) number = number << 8 | at[i];
    return number;
}

inline void write_field(const Field& field, Wide number, FlowKey& key) {
    uint8_t* at = reinterpret_cast<uint8_t*>(&key) + field.offset;
    for (unsigned i = field.bytes; i-- > 0; number >>= 8) at[i] = static_cast<uint8_t>(number);
}

inline Wide read_bits(const of::Bits& bits, const FlowKey& key) {
    return read_field(*bits.field, key) >> (bits.field->shift + bits.from) & ones(bits.n);
}

inline void write_bits(const of::Bits& bits, Wide value, FlowKey& key) {
    const unsigned shift = bits.field->shift + bits.from;
    const Wide mask = ones(bits.n) << shift;
    write_field(*bits.field, (read_field(*bits.field, key) & ~mask) | (value << shift & mask), key);
}

}  // namespace turnout
