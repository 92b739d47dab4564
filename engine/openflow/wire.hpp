// SPDX-License-Identifier: Apache-2.0
// Reading and writing OpenFlow's bytes: big-endian numbers, each read checked against what is left.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "engine/flow/be.hpp"
#include "engine/openflow/errors.hpp"

namespace turnout::of {

using Bytes = std::span<const uint8_t>;
using Wire = std::vector<uint8_t>;

inline uint16_t be16(const uint8_t* at) { return load<Be16>(at).host(); }
inline uint32_t be32(const uint8_t* at) { return load<Be32>(at).host(); }
inline uint64_t be64(const uint8_t* at) { return load<Be64>(at).host(); }

// Consumes bytes from the front; what is not there throws `too_short`.
class Reader {
public:
    Reader(Bytes bytes, OfError too_short) : bytes_(bytes), too_short_(too_short) {}

    size_t left() const { return bytes_.size(); }
    Bytes rest() const { return bytes_; }
    Bytes take(size_t n) {
        if (n > bytes_.size()) throw too_short_;
        const Bytes taken = bytes_.first(n);
        bytes_ = bytes_.subspan(n);
        return taken;
    }
    void skip(size_t n) { take(n); }
    uint8_t u8() { return take(1)[0]; }
    uint16_t u16() { return be16(take(2).data()); }
    uint32_t u32() { return be32(take(4).data()); }
    uint64_t u64() { return be64(take(8).data()); }
    bool zeros() const {
        return std::all_of(bytes_.begin(), bytes_.end(), [](uint8_t b) { return b == 0; });
    }

private:
    Bytes bytes_;
    OfError too_short_;
};

inline void put(Wire& out, const void* from, size_t n) {
    const auto* bytes = static_cast<const uint8_t*>(from);
    out.insert(out.end(), bytes, bytes + n);
}
inline void put(Wire& out, Bytes bytes) { put(out, bytes.data(), bytes.size()); }
inline void put8(Wire& out, uint8_t value) { out.push_back(value); }
inline void put16(Wire& out, uint16_t value) {
    const Be16 be = Be16::of(value);
    put(out, &be, sizeof be);
}
inline void put32(Wire& out, uint32_t value) {
    const Be32 be = Be32::of(value);
    put(out, &be, sizeof be);
}
inline void put64(Wire& out, uint64_t value) {
    const Be64 be = Be64::of(value);
    put(out, &be, sizeof be);
}
inline void zeros(Wire& out, size_t n) { out.resize(out.size() + n); }
// Zeros until what started at `start` is a multiple of 8 bytes.
inline void pad8(Wire& out, size_t start) { zeros(out, (8 - (out.size() - start) % 8) % 8); }
inline void set16(Wire& out, size_t at, size_t value) {
    const Be16 be = Be16::of(static_cast<uint16_t>(value));
    std::memcpy(out.data() + at, &be, sizeof be);
}

// OpenFlow 1.0's 16-bit port numbers and the 32-bit ones of later versions: the reserved ones are the top 256 of each.
inline constexpr uint32_t kPort10Max = 0xff00;
inline uint32_t port_from10(uint16_t port) { return port >= kPort10Max ? port | 0xffff0000 : port; }
inline uint16_t port_to10(uint32_t port) { return static_cast<uint16_t>(port); }
// As Open vSwitch, which numbers its ports with 16 bits.
inline uint32_t port_from13(uint32_t port, OfError invalid) {
    if (port >= kPort10Max && port < 0xffffff00) throw invalid;
    return port;
}

}  // namespace turnout::of
