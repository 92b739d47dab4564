// SPDX-License-Identifier: Apache-2.0
#include "engine/act/hash.hpp"

#include <algorithm>
#include <cstring>

namespace turnout {
namespace {

enum : uint16_t { kModulo, kThreshold, kHighestRandom, kIterative };  // NX_MP_ALG_*

uint64_t add(uint64_t hash, uint64_t word) { return mix(hash ^ word) + 0x9e3779b97f4a7c15; }

template <typename T>
uint64_t number(const T& value) {
    uint64_t word = 0;
    std::memcpy(&word, &value, sizeof value);
    return word;
}

uint64_t fold_address(const Ipv6Addr& address) {
    uint64_t halves[2];
    std::memcpy(halves, &address, sizeof halves);
    return add(halves[0], halves[1]);
}

bool is_ip(const FlowKey& key) { return key.eth.type == Be16::of(0x0800) || key.eth.type == Be16::of(0x86dd); }
bool has_ports(const FlowKey& key) {
    const uint8_t proto = key.net.proto;
    return is_ip(key) && !key.net.frag && (proto == 6 || proto == 17 || proto == 132);
}

uint64_t source(const FlowKey& key) {
    return key.eth.type == Be16::of(0x86dd) ? fold_address(key.net.ipv6_src) : number(key.net.ipv4_src);
}
uint64_t destination(const FlowKey& key) {
    return key.eth.type == Be16::of(0x86dd) ? fold_address(key.net.ipv6_dst) : number(key.net.ipv4_dst);
}
// The same for both directions.
uint64_t both(uint64_t a, uint64_t b) { return mix(a) + mix(b); }

}  // namespace

uint64_t hash_5tuple(const FlowKey& key, uint64_t basis) {
    uint64_t hash = add(basis, key.eth.type.raw);
    if (!is_ip(key)) return add(add(hash, number(key.eth.src)), number(key.eth.dst));
    hash = add(add(add(hash, source(key)), destination(key)), key.net.proto);
    return key.net.frag ? hash : add(hash, uint64_t{key.tp.src.raw} << 16 | key.tp.dst.raw);
}

uint64_t hash_fields(const FlowKey& key, std::span<const Field* const> fields, uint64_t basis) {
    uint64_t hash = mix(basis);
    for (const Field* field : fields) {
        if (!applies(*field, key)) continue;
        const uint8_t* at = reinterpret_cast<const uint8_t*>(&key) + field->offset;
        for (unsigned i = 0; i < field->bytes; i += 8) {
            uint64_t word = 0;
            std::memcpy(&word, at + i, std::min<size_t>(8, field->bytes - i));
            hash = add(hash, word);
        }
        hash = add(hash, field->offset);
    }
    return hash;
}

uint32_t hash_nx(const FlowKey& key, uint16_t fields, uint16_t basis) {
    const bool ports = has_ports(key) && (key.net.proto != 17 || fields != kHashSymmetricL3L4);
    const uint64_t l3 = is_ip(key) ? add(both(source(key), destination(key)), key.net.proto) : 0;
    const uint64_t l4 = ports ? both(key.tp.src.raw, key.tp.dst.raw) : 0;
    uint64_t hash = add(basis, fields);
    switch (fields) {
        case kHashEthSrc:
            return static_cast<uint32_t>(add(hash, number(key.eth.src)));
        case kHashSymmetricL4:
            hash = add(hash, both(number(key.eth.src), number(key.eth.dst)) + key.eth.type.raw);
            hash = add(hash, key.eth.vlan[0].tci.raw);
            return static_cast<uint32_t>(add(add(hash, l3), l4));
        case kHashNwSrc:
            return static_cast<uint32_t>(add(hash, is_ip(key) ? source(key) : 0));
        case kHashNwDst:
            return static_cast<uint32_t>(add(hash, is_ip(key) ? destination(key) : 0));
        case kHashSymmetricL3:
            return static_cast<uint32_t>(add(hash, l3));
        default:
            return static_cast<uint32_t>(add(add(hash, l3), l4));
    }
}

uint16_t multipath_link(const of::Multipath& multipath, uint32_t hash) {
    const uint32_t links = multipath.max_link + 1u;
    switch (multipath.algorithm) {
        case kModulo:
            return static_cast<uint16_t>(hash % links);
        case kThreshold:
            return static_cast<uint16_t>(uint64_t{hash} * links >> 32);
        case kIterative:
            for (uint32_t i = 0, modulus = std::bit_ceil(links); i < 32; i++) {
                const auto link = static_cast<uint32_t>(mix(hash + uint64_t{i} * multipath.arg) & (modulus - 1));
                if (link < links) return static_cast<uint16_t>(link);
            }
            return 0;
    }
    uint32_t best = 0;
    uint64_t highest = 0;
    for (uint32_t link = 0; link < links; link++) {
        const uint64_t score = mix(hash | uint64_t{link} << 32);
        if (score >= highest) best = link, highest = score;
    }
    return static_cast<uint16_t>(best);
}

}  // namespace turnout
