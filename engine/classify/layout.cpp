// SPDX-License-Identifier: Apache-2.0
#include "engine/classify/layout.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "engine/flow/match.hpp"

namespace turnout::classify {
namespace {

template <typename Op>
FlowKey combine(const FlowKey& a, const FlowKey& b, Op op) {
    FlowKey result{};
    for (size_t i = 0; i < kKeyWords; i++) set_word(result, i, op(word(a, i), word(b, i)));
    return result;
}

}  // namespace

FlowKey whole_bytes(const FlowKey& mask) {
    std::array<uint8_t, sizeof(FlowKey)> bytes;
    std::memcpy(bytes.data(), &mask, sizeof mask);
    for (uint8_t& byte : bytes) byte = byte ? 0xff : 0;
    return std::bit_cast<FlowKey>(bytes);
}

FlowKey bits_of_both(const FlowKey& a, const FlowKey& b) { return combine(a, b, std::bit_and<>()); }
FlowKey bits_of_either(const FlowKey& a, const FlowKey& b) { return combine(a, b, std::bit_or<>()); }

bool has_bits(const FlowKey& wide, const FlowKey& narrow) {
    for (size_t i = 0; i < kKeyWords; i++)
        if (word(narrow, i) & ~word(wide, i)) return false;
    return true;
}

// First fit, the fullest words first: each goes over the first word that has room for it, turned if need be.
Layout::Layout(const FlowKey& reads) : covers_(classify::whole_bytes(reads)) {
    for (uint8_t i = 0; i < kKeyWords; i++)
        if (word(covers_, i)) steps_.push_back({i, 0, 0, word(covers_, i)});
    std::stable_sort(steps_.begin(), steps_.end(),
                     [](const Step& a, const Step& b) { return std::popcount(a.mask) > std::popcount(b.mask); });
    std::array<uint64_t, kMaxWords> used{};
    for (Step& step : steps_) {
        for (;; step.turn = static_cast<uint8_t>(step.turn + 8)) {
            if (step.turn == 64) {
                step.turn = 0;
                step.to++;
            }
            if (!(std::rotl(step.mask, step.turn) & used[step.to])) break;  // an unused word is there at the latest
        }
        used[step.to] |= std::rotl(step.mask, step.turn);
        words_ = std::max(words_, step.to + 1u);
    }
    std::stable_sort(steps_.begin(), steps_.end(), [](const Step& a, const Step& b) { return a.to < b.to; });
}

bool Layout::holds(const FlowKey& mask) const { return has_bits(covers_, mask); }

void Layout::pack(const FlowKey& key, uint64_t* packed) const {
    std::fill_n(packed, words_, 0);
    for (const Step& step : steps_) packed[step.to] |= std::rotl(word(key, step.from) & step.mask, step.turn);
}

FlowKey Layout::unpack(const uint64_t* packed) const {
    FlowKey key{};
    for (const Step& step : steps_) set_word(key, step.from, std::rotr(packed[step.to], step.turn) & step.mask);
    return key;
}

void Layout::pack(std::span<const FlowKey* const> keys, PackedBurst& packed) const {
    for (unsigned w = 0, s = 0; w < words_; w++) {
        uint64_t* const to = packed[w];
        const Step& first = steps_[s++];
        for (size_t i = 0; i < keys.size(); i++) to[i] = std::rotl(word(*keys[i], first.from) & first.mask, first.turn);
        for (; s < steps_.size() && steps_[s].to == w; s++) {
            const Step& step = steps_[s];
            for (size_t i = 0; i < keys.size(); i++)
                to[i] |= std::rotl(word(*keys[i], step.from) & step.mask, step.turn);
        }
    }
}

std::span<const FlowKey> common_reads() {
    static const auto reads = [] {
        std::array<FlowKey, 3> r{};
        for (FlowKey& key : r) {
            key.arrival.in_port = Be32::of(~0u);
            key.eth.type = key.eth.vlan[0].tci = Be16::of(0xffff);
        }
        for (FlowKey* key : {&r[0], &r[2]}) {
            key->net.frag = key->net.tos = key->net.ttl = key->net.proto = 0xff;
            key->tp.src = key->tp.dst = Be16::of(0xffff);
        }
        r[0].net.ipv4_src = r[0].net.ipv4_dst = Be32::of(~0u);
        for (MacAddr* mac : {&r[1].eth.src, &r[1].eth.dst}) std::fill_n(mac->octets, sizeof *mac, uint8_t{0xff});
        for (Ipv6Addr* ip : {&r[2].net.ipv6_src, &r[2].net.ipv6_dst})
            std::fill_n(ip->octets, sizeof *ip, uint8_t{0xff});
        return r;
    }();
    return reads;
}

}  // namespace turnout::classify
