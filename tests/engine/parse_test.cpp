// SPDX-License-Identifier: Apache-2.0
// The parser against parse_cases.inc: each frame whole, and cut at every length. Heads are heap blocks of exactly their
// length, so that AddressSanitizer sees a read beyond them.
#include "engine/parse/parse.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>

#include "engine/parse/ethernet.hpp"
#include "engine/parse/usual.hpp"
#include "tests/engine/parse_cases.hpp"

namespace turnout::test {
namespace {

constexpr uint8_t kUntouched = 0xa5;

struct Parsed {
    FlowKey key;
    Layers layers{1, 2, 3};

    Parsed(const std::vector<uint8_t>& frame, size_t head_len, size_t frame_len, Depth depth) {
        const auto head = std::make_unique<uint8_t[]>(head_len);
        std::copy_n(frame.begin(), head_len, head.get());
        std::memset(&key, kUntouched, sizeof key);
        parse({head.get(), head_len}, static_cast<uint32_t>(frame_len), depth, key, layers);
    }
};

template <typename Group>
bool untouched(const Group& group) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(&group);
    return std::all_of(bytes, bytes + sizeof group, [](uint8_t byte) { return byte == kUntouched; });
}

// All fields that are not zero, and the offsets, for a failure's message.
std::string show(const FlowKey& key, const Layers& layers) {
    std::string text;
    for (const Field& field : fields()) {
        const auto what = value(field, key);
        const auto* number = std::get_if<uint64_t>(&what);
        if (what != value(field, FlowKey{}))
            text +=
                std::string(field.name) + "=" + (number ? std::to_string(*number) : std::get<std::string>(what)) + " ";
    }
    const auto offset = [](uint16_t at) { return at == Layers::kNone ? "none" : std::to_string(at); };
    return text + "l2_5=" + offset(layers.l2_5) + " l3=" + offset(layers.l3) + " l4=" + offset(layers.l4);
}

// The groups that a depth fills, in an otherwise zero key.
FlowKey filled(const FlowKey& key, Depth depth) {
    FlowKey only{};
    only.eth = key.eth;
    if (depth >= Depth::L3) only.net = key.net;
    if (depth >= Depth::L4) only.tp = key.tp;
    return only;
}

Expected at_depth(Expected all, Depth depth) {
    all.key = filled(all.key, depth);
    if (depth == Depth::L2) all.layers = {.l3 = all.layers.l2_5 == Layers::kNone ? all.layers.l3 : all.layers.l2_5};
    return all;
}

void check(const Case& c, size_t head_len, size_t frame_len) {
    const Expected at_l4 = c.expect(std::min(head_len, frame_len), frame_len);
    for (const Depth depth : {Depth::L2, Depth::L3, Depth::L4}) {
        const Parsed parsed(c.frame, head_len, frame_len, depth);
        const Expected expected = at_depth(at_l4, depth);
        const FlowKey key = filled(parsed.key, depth);

        INFO(c.name, ": ", head_len, " bytes of ", frame_len, " at depth L", static_cast<int>(depth) + 2);
        const bool same = std::memcmp(&key, &expected.key, sizeof key) == 0 && parsed.layers == expected.layers;
        CHECK_MESSAGE(same, show(key, parsed.layers), "\ninstead of ", show(expected.key, expected.layers));
        CHECK(untouched(parsed.key.arrival));
        CHECK(untouched(parsed.key.tunnel));
        CHECK(untouched(parsed.key.reg));
        CHECK((depth >= Depth::L3 || untouched(parsed.key.net)));
        CHECK((depth >= Depth::L4 || untouched(parsed.key.tp)));
    }
}

TEST_CASE("parse: whole frames") {
    for (const Case& c : parse_cases()) check(c, c.frame.size(), c.frame.size());
}

TEST_CASE("parse: frames cut at every length") {
    for (const Case& c : parse_cases())
        for (size_t length = 0; length < c.frame.size(); length++) check(c, length, length);
}

TEST_CASE("parse: whole frames of which the head is any part") {
    for (const Case& c : parse_cases())
        for (size_t length = 0; length < c.frame.size(); length++) check(c, length, c.frame.size());
}

TEST_CASE("parse: a head that goes on behind the frame") {
    for (const Case& c : parse_cases())
        for (size_t length = 0; length < c.frame.size(); length++) check(c, c.frame.size(), length);
}

TEST_CASE("parse: sixteen extension headers as long as they can be, in a frame beyond 64 KiB") {
    std::vector<uint8_t> frame = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0, 0xff, 0xff, 60, 64};
    frame.resize(14 + 40 + 0xffff);
    for (size_t i = 0; i < 16; i++) {
        frame[54 + i * 2048] = i == 15 ? 59 : 60;
        frame[54 + i * 2048 + 1] = 255;
    }
    CHECK(Parsed(frame, frame.size(), frame.size(), Depth::L4).layers == Layers{.l3 = 14, .l4 = 54 + 16 * 2048});

    frame[54 + 15 * 2048] = 60;
    CHECK(Parsed(frame, frame.size(), frame.size(), Depth::L4).layers == Layers{.l3 = 14});
}

TEST_CASE("parse_ethernet: the same as parse() at L2") {
    for (const Case& c : parse_cases()) {
        const Parsed parsed(c.frame, c.frame.size(), c.frame.size(), Depth::L2);
        Ethernet eth;
        Layers layers;
        parse_ethernet(c.frame, eth, layers);
        CHECK(std::memcmp(&eth, &parsed.key.eth, sizeof eth) == 0);
        CHECK(layers == parsed.layers);
    }
}

bool part_of_arrival(const Field& field) {
    return field.offset >= offsetof(FlowKey, arrival) && field.offset < offsetof(FlowKey, net);
}

// Each case as it is, and with single bytes changed.
template <typename Do>
void each_usual(Do act) {
    std::mt19937 random(1);
    for (const Case& c : parse_cases())
        for (int i = 0; i < 200; i++) {
            std::vector<uint8_t> frame = c.frame;
            if (i > 0) frame[random() % frame.size()] = static_cast<uint8_t>(random());
            frame.resize(std::max<size_t>(frame.size(), 60));
            if (Usual::is(frame, static_cast<uint32_t>(frame.size()))) act(frame);
        }
}

TEST_CASE("usual packets: the same as parse() at L4") {
    FlowKey key;
    Layers layers;
    bool again = false;
    unsigned n = 0;
    each_usual([&](const std::vector<uint8_t>& frame) {
        const Parsed parsed(frame, frame.size(), frame.size(), Depth::L4);
        Usual::parse(frame.data(), again, key, layers);
        const FlowKey usual = filled(key, Depth::L4), expected = filled(parsed.key, Depth::L4);
        const bool same = std::memcmp(&usual, &expected, sizeof usual) == 0 && layers == parsed.layers;
        CHECK_MESSAGE(same, show(usual, layers), "\ninstead of ", show(expected, parsed.layers));
        again = true;
        n++;
    });
    CHECK(n > 500);
}

TEST_CASE("usual packets: where the words under a mask are equal, so are the keys, and where they are not, neither") {
    FlowKey first;
    Usual::Words words{};
    bool any = false;
    each_usual([&](const std::vector<uint8_t>& frame) {
        FlowKey key;
        Layers layers;
        Usual::parse(frame.data(), false, key, layers);
        for (const Field& field : fields()) {
            if (!any || field.offset >= offsetof(FlowKey, tunnel) || part_of_arrival(field)) continue;
            const FlowKey mask = mask_of(field);
            const Usual::Words bits = Usual::words(mask), now = Usual::words(frame.data());
            bool keys = true, kinds = true;
            for (size_t w = 0; w < kKeyWords; w++) keys = keys && !((word(key, w) ^ word(first, w)) & word(mask, w));
            for (size_t w = 0; w < bits.size(); w++) kinds = kinds && !((words[w] ^ now[w]) & bits[w]);
            INFO(field.name);
            CHECK(keys == kinds);
        }
        first = key;
        words = Usual::words(frame.data());
        any = true;
    });
}

}  // namespace
}  // namespace turnout::test
