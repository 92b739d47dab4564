// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: any bytes parse, within bounds, to a key that agrees with itself.
//
// Input: byte 0 chooses the depth (0..2) and, by its high bit, whether the head is all of the frame; byte 1 is how many
// bytes the frame then has beyond the head (times 64); the rest is the head.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "engine/flow/fields.hpp"
#include "engine/parse/parse.hpp"
#include "engine/parse/usual.hpp"

namespace {

using namespace turnout;

#define HOLDS(what)                                                         \
    do {                                                                    \
        if (!(what)) {                                                      \
            std::fprintf(stderr, "line %d: not so: %s\n", __LINE__, #what); \
            std::abort();                                                   \
        }                                                                   \
    } while (false)

struct Parsed {
    FlowKey key;
    Layers layers{1, 2, 3};

    Parsed(std::span<const uint8_t> head, uint32_t frame_len, Depth depth, uint8_t background) {
        std::memset(&key, background, sizeof key);
        parse(head, frame_len, depth, key, layers);
    }
};

template <typename Group>
bool same(const Group& a, const Group& b) {
    return std::memcmp(&a, &b, sizeof a) == 0;
}

template <typename Group>
bool all_bytes(const Group& group, uint8_t value) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(&group);
    return std::all_of(bytes, bytes + sizeof group, [=](uint8_t byte) { return byte == value; });
}

// Each depth writes its groups whole, whatever was there, and leaves the others.
void check_groups(const Parsed& p, const Parsed& other, Depth depth, uint8_t background) {
    HOLDS(same(p.key.eth, other.key.eth));
    HOLDS(p.layers == other.layers);
    HOLDS(depth >= Depth::L3 ? same(p.key.net, other.key.net) : all_bytes(p.key.net, background));
    HOLDS(depth >= Depth::L4 ? same(p.key.tp, other.key.tp) : all_bytes(p.key.tp, background));
    HOLDS(all_bytes(p.key.arrival, background));
    HOLDS(all_bytes(p.key.tunnel, background));
    HOLDS(all_bytes(p.key.reg, background));
}

void check_layers(const Layers& layers, size_t head) {
    constexpr uint16_t kNone = Layers::kNone;
    HOLDS(layers.l2_5 == kNone || (layers.l2_5 >= 14 && layers.l2_5 <= head));
    HOLDS(layers.l3 == kNone || (layers.l3 >= 14 && layers.l3 <= head));
    HOLDS(layers.l4 == kNone || (layers.l4 >= layers.l3 + 20 && layers.l4 <= head));
    HOLDS(layers.l2_5 == kNone || layers.l4 == kNone);
    HOLDS(layers.l2_5 == kNone || layers.l3 == kNone || layers.l3 >= layers.l2_5 + 4);
    HOLDS((head < 14) == (layers.l3 == kNone && layers.l2_5 == kNone));
}

// What a layer without its header must look like. `key` was parsed to L4 over zeroes.
void check_absent(const FlowKey& key, const Layers& layers) {
    const uint16_t type = key.eth.type.host();
    const bool ip = type == 0x0800 || type == 0x86dd, arp = type == 0x0806 || type == 0x8035;

    if (layers.l3 == Layers::kNone && layers.l2_5 == Layers::kNone) HOLDS(all_bytes(key, 0));
    HOLDS(key.eth.vlan[0].tci != Be16{} || key.eth.vlan[1].tci == Be16{});
    for (const VlanTag& tag : key.eth.vlan) HOLDS((tag.tci == Be16{}) == (tag.tpid == Be16{}));
    if (layers.l4 == Layers::kNone) {
        HOLDS(all_bytes(key.tp, 0));
        HOLDS(key.net.tos == 0 && key.net.ttl == 0 && key.net.frag == 0 && key.net.ipv6_exthdr == Be16{});
        HOLDS(key.net.proto == 0 || arp);
    } else {
        HOLDS(ip);
    }
    if (key.net.frag & kFragLater) HOLDS(all_bytes(key.tp, 0));
    if (type != 0x86dd)
        HOLDS(all_bytes(key.net.ipv6_src, 0) && key.net.ipv6_label == Be32{} && all_bytes(key.tp.nd_target, 0));
    if (type != 0x0800 && !arp) HOLDS(key.net.ipv4_src == Be32{} && key.net.ipv4_dst == Be32{});
    if (!arp) HOLDS(all_bytes(key.net.arp_sha, 0) && all_bytes(key.net.arp_tha, 0));
    HOLDS(key.eth.reserved == 0 && key.net.reserved == 0 && key.tp.reserved0 == 0 && key.tp.conj_id == Be32{});
}

// All the bits that have a name.
FlowKey named_bits() {
    FlowKey named{};
    for (const Field& field : fields()) {
        const FlowKey mask = mask_of(field);
        for (size_t i = 0; i < sizeof named; i++)
            reinterpret_cast<uint8_t*>(&named)[i] |= reinterpret_cast<const uint8_t*>(&mask)[i];
    }
    return named;
}

void check_fields(const FlowKey& key) {
    static const FlowKey named = named_bits();
    for (size_t i = 0; i < kKeyWords; i++) HOLDS((word(key, i) & ~word(named, i)) == 0);
    HOLDS(describe(key).size() >= 3);
}

void check_usual(const uint8_t* frame, const Parsed& l4) {
    FlowKey key;
    Layers layers;
    std::memset(&key, 0xa5, sizeof key);
    key.arrival = {};
    key.tunnel = {};
    std::memset(key.reg, 0, sizeof key.reg);
    for (const bool again : {false, true}) {
        Usual::parse(frame, again, key, layers);
        HOLDS(same(key, l4.key) && layers == l4.layers);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 2) return 0;
    const auto depth = static_cast<Depth>((data[0] & 0x7f) % 3);
    const size_t head_len = size - 2;
    const uint32_t frame_len = static_cast<uint32_t>(head_len + (data[0] & 0x80 ? data[1] * 64u : 0));

    const auto copy = std::make_unique<uint8_t[]>(head_len);
    std::copy_n(data + 2, head_len, copy.get());
    const std::span<const uint8_t> head{copy.get(), head_len};

    const Parsed once(head, frame_len, depth, 0xa5), again(head, frame_len, depth, 0x5a);
    check_groups(once, again, depth, 0xa5);
    check_groups(again, once, depth, 0x5a);

    const Parsed l2(head, frame_len, Depth::L2, 0), l3(head, frame_len, Depth::L3, 0),
        l4(head, frame_len, Depth::L4, 0);
    HOLDS(same(l2.key.eth, l4.key.eth) && same(l3.key.eth, l4.key.eth) && same(l3.key.net, l4.key.net));
    HOLDS(l3.layers == l4.layers);
    HOLDS(l2.layers.l3 == (l4.layers.l2_5 == Layers::kNone ? l4.layers.l3 : l4.layers.l2_5));
    HOLDS(l2.layers.l4 == Layers::kNone && l2.layers.l2_5 == Layers::kNone);
    check_layers(l4.layers, head_len);
    check_absent(l4.key, l4.layers);
    check_fields(l4.key);
    if (Usual::is(head, frame_len)) check_usual(head.data(), l4);
    return 0;
}
