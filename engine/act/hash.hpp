// SPDX-License-Identifier: Apache-2.0
// Hashes of a packet's flow, for actions that spread flows over links. The key must be good for Depth::L4.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

#include "engine/openflow/action.hpp"

namespace turnout {

constexpr uint64_t mix(uint64_t x) {  // MurmurHash3's finalizer
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccd;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53;
    return x ^ x >> 33;
}

// The 5-tuple of IP packets, the same for all fragments of one datagram; MAC addresses and type of others.
uint64_t hash_5tuple(const FlowKey& key, uint64_t basis);
uint64_t hash_fields(const FlowKey& key, std::span<const Field* const> fields, uint64_t basis);

// multipath and bundle. `fields`: NX_HASH_FIELDS_*.
enum : uint16_t {
    kHashEthSrc,
    kHashSymmetricL4,
    kHashSymmetricL3L4,
    kHashSymmetricL3L4Udp,
    kHashNwSrc,
    kHashNwDst,
    kHashSymmetricL3
};
uint32_t hash_nx(const FlowKey& key, uint16_t fields, uint16_t basis);
// NXAST_MULTIPATH's link, in [0, max_link].
uint16_t multipath_link(const of::Multipath& multipath, uint32_t hash);

}  // namespace turnout
