// SPDX-License-Identifier: Apache-2.0
//
// Parse: the bytes of a frame in, its flow key and the places of its headers out.
//
// In.     `head`, the contiguous start of the frame, and `frame_len`, the length of the whole frame, which may be
//         more (the rest lies in further mbuf segments). Headers beyond the head count as missing, so the caller
//         copies at least 256 bytes together where the first segment is shorter.
// Out.    The groups of the key that the depth asks for, each written whole; the others are not touched:
//             Depth::L2   eth
//             Depth::L3   eth, net
//             Depth::L4   eth, net, tp
//         arrival, tunnel and reg are the caller's. Layers is always written whole.
// Thread. Any; there is no state. The worker calls it once per packet.
// Bounds. Not a byte outside of the head is read, whatever the frame says. Each loop consumes the head and is also
//         bounded by a count (kMaxLabels, kMaxExtHeaders).
//
// A frame is never refused. As in Open vSwitch, whose flow extraction this agrees with, a header that is cut short
// or contradicts itself ends the parse, and the fields of that layer and the following stay zero:
//   Ethernet  below 14 bytes: nothing at all. A tag is taken if it and an EtherType behind it are there. A length in
//             place of the type is followed by SNAP's type, if it has one, or else the type is kEthTypeNone.
//   MPLS      ends the parse; labels beyond the third are skipped for Layers::l3.    PBB: ends it as well.
//   ARP       for Ethernet and IPv4 only, RARP too.
//   IPv4      the header length, and the total length against the frame's, must be possible; the version nibble is not
//             looked at. Bytes behind the total length are padding and never parsed.
//   IPv6      the payload length must fit the frame. A bad chain of extension headers leaves nothing but the addresses.
//   L4        absent in later fragments. TCP's data offset must be possible; UDP's length is not looked at.
//   ND        type 135 and 136 with code 0. An option of length 0 ends them; a repeated address clears all of them.
#pragma once

#include <cstdint>
#include <span>

#include "engine/flow/key.hpp"

namespace turnout {

enum class Depth : uint8_t { L2, L3, L4 };

// Where headers start, in bytes from the start of the frame. An offset may equal the head's length: nothing follows.
struct Layers {
    static constexpr uint16_t kNone = UINT16_MAX;

    uint16_t l2_5 = kNone;  // the MPLS stack; from Depth::L3
    uint16_t l3 = kNone;    // what follows eth_type, or the MPLS stack from Depth::L3 (none if that has no end)
    uint16_t l4 = kNone;  // what follows a sound IP header and its extensions, in a later fragment too; from Depth::L3

    friend constexpr bool operator==(const Layers&, const Layers&) = default;
};

inline constexpr int kMaxLabels = 16;      // MPLS label stack entries looked through for the bottom of the stack
inline constexpr int kMaxExtHeaders = 16;  // IPv6 extension headers; a longer chain is a bad one

void parse(std::span<const uint8_t> head, uint32_t frame_len, Depth depth, FlowKey& key, Layers& layers) noexcept;

}  // namespace turnout
