// SPDX-License-Identifier: Apache-2.0
// Integers in network byte order, as a type of their own: a wire value can be copied, masked, hashed and compared
// for equality as it is, and nothing else compiles until somebody says host().
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>

namespace turnout {

static_assert(std::endian::native == std::endian::little, "host order is assumed to be little-endian");

template <std::unsigned_integral T>
struct Be {
    T raw;  // the bytes of the wire

    static constexpr Be of(T host) { return {swap(host)}; }
    constexpr T host() const { return swap(raw); }
    friend constexpr bool operator==(Be, Be) = default;

private:
    static constexpr T swap(T value) {
        if constexpr (sizeof(T) == 2)
            return __builtin_bswap16(value);
        else if constexpr (sizeof(T) == 4)
            return __builtin_bswap32(value);
        else
            return __builtin_bswap64(value);
    }
};

using Be16 = Be<uint16_t>;
using Be32 = Be<uint32_t>;
using Be64 = Be<uint64_t>;

// Reads a wire value (or an address) from any alignment. The caller has checked that its bytes are there.
template <typename T>
inline T load(const uint8_t* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

}  // namespace turnout
