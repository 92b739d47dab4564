// SPDX-License-Identifier: Apache-2.0
// Cursor: the part of the head that is not parsed yet. Each read of a header is behind one has() or take().
#pragma once

#include <cstddef>
#include <cstdint>

namespace turnout {

struct Cursor {
    const uint8_t* at;
    const uint8_t* end;

    size_t left() const { return static_cast<size_t>(end - at); }
    bool has(size_t bytes) const { return left() >= bytes; }

    // The next `bytes` bytes, passed over; or null, and nothing moves, if fewer are left.
    const uint8_t* take(size_t bytes) {
        if (!has(bytes)) [[unlikely]]
            return nullptr;
        const uint8_t* taken = at;
        at += bytes;
        return taken;
    }

    // Forgets what lies beyond `bytes` bytes from here.
    void limit(size_t bytes) {
        if (has(bytes)) end = at + bytes;
    }
};

}  // namespace turnout
