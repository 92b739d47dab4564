// SPDX-License-Identifier: Apache-2.0
// The usual packet: TCP or UDP over IPv4, no tag, no IP options, no fragment. Its fields lie where they always lie, so
// nobody need look for them. Inline, for the worker.
#pragma once

#include <array>
#include <cstring>
#include <random>
#include <span>

#include "engine/base/types.hpp"
#include "engine/flow/key.hpp"
#include "engine/parse/parse.hpp"

namespace turnout {

struct Usual {
    static constexpr uint16_t kIp = kEtherHeader, kL4 = kIp + 20, kLeast = kL4 + 20;
    static constexpr uint8_t kTcp = 6, kUdp = 17;

    // In as for parse(). Whether the frame is a usual packet, sound to the end of its headers.
    static bool is(std::span<const uint8_t> head, uint32_t frame_len) {
        constexpr uint32_t kIpv4NoOptions = 0x45'0008;  // EtherType, version and header length: three bytes, as loaded
        constexpr uint16_t kFragment = 0xff3f;          // more fragments, or an offset; as loaded

        const uint8_t* at = head.data();
        if (head.size() < kLeast || head.size() > frame_len) [[unlikely]]
            return false;
        if ((load<uint32_t>(at + 12) & 0xff'ffff) != kIpv4NoOptions || load<uint16_t>(at + 20) & kFragment)
            return false;
        const uint32_t payload = load<Be16>(at + kIp + 2).host() - 20u;  // huge if the length is less than the header's
        if (payload > frame_len - kL4) return false;
        if (at[kIp + 9] == kUdp) return payload >= 8;
        const uint32_t tcp = (at[kL4 + 12] >> 4) * 4u;
        return at[kIp + 9] == kTcp && tcp >= 20 && tcp <= payload && kL4 + tcp <= head.size();
    }

    // A usual packet's key and layers, as parse() gives them at Depth::L4. `again`: the key holds what parse() wrote
    // here last, and so zero wherever a usual packet has nothing.
    static void parse(const uint8_t* at, bool again, FlowKey& key, Layers& layers) {
        if (!again) {
            key.eth = {};
            key.net = {};
            key.tp = {};
            key.eth.type = Be16::of(0x0800);
        }
        std::memcpy(&key.eth, at, 12);
        key.net.tos = at[kIp + 1];
        key.net.ttl = at[kIp + 8];
        key.net.proto = at[kIp + 9];
        std::memcpy(&key.net.ipv4_src, at + kIp + 12, 8);
        std::memcpy(&key.tp.src, at + kL4, 4);
        key.tp.tcp_flags = {tcp_flags(at)};
        layers = {Layers::kNone, kIp, kL4};
    }

    // All that sets usual packets apart, in four words.
    using Words = std::array<uint64_t, 4>;
    static Words words(const uint8_t* at) {
        // MAC addresses and TOS; TTL, protocol, the checksum's place for the TCP flags, addresses, ports.
        return {load<uint64_t>(at), load<uint64_t>(at + 8),
                (load<uint64_t>(at + kIp + 8) & ~(uint64_t{0xffff} << 16)) | uint64_t{tcp_flags(at)} << 16,
                load<uint64_t>(at + kIp + 16)};
    }
    // The same of a key, or of a mask. What else a key has is the same for all usual packets.
    static Words words(const FlowKey& key) {
        std::array<uint8_t, kLeast> at{};
        std::memcpy(at.data(), &key.eth, 12);
        at[kIp + 1] = key.net.tos;
        at[kIp + 8] = key.net.ttl;
        at[kIp + 9] = key.net.proto;
        std::memcpy(at.data() + kIp + 10, &key.tp.tcp_flags, 2);
        std::memcpy(at.data() + kIp + 12, &key.net.ipv4_src, 8);
        std::memcpy(at.data() + kL4, &key.tp.src, 4);
        return {load<uint64_t>(at.data()), load<uint64_t>(at.data() + 8), load<uint64_t>(at.data() + kIp + 8),
                load<uint64_t>(at.data() + kIp + 16)};
    }
    static constexpr Words kProtocol = {0, 0, 0xff00, 0};  // in a mask: other protocols have no words
    // Nobody outside can tell which words have the same hash.
    static uint64_t hash(const Words& words) {
        return fold(words[0] ^ kSecrets[0], words[1] ^ kSecrets[1]) +
               fold(words[2] ^ kSecrets[2], words[3] ^ kSecrets[3]);
    }

private:
    static const Words kSecrets;

    static uint64_t fold(uint64_t a, uint64_t b) {
        const auto product = static_cast<unsigned __int128>(a) * b;
        return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
    }
    // As in a key: zero but for TCP.
    static uint16_t tcp_flags(const uint8_t* at) {
        return at[kIp + 9] == kTcp ? load<uint16_t>(at + kL4 + 12) & 0xff0f : 0;
    }
};

inline const Usual::Words Usual::kSecrets = [] {
    std::random_device random;
    Words made;
    for (uint64_t& n : made) n = uint64_t{random()} << 32 | random();
    return made;
}();

}  // namespace turnout
