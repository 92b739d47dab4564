// SPDX-License-Identifier: Apache-2.0
#include "engine/parse/parse.hpp"

#include <algorithm>

#include "engine/parse/ethernet.hpp"
#include "engine/parse/stages.hpp"

namespace turnout {

// Ethernet with two tags and SNAP, IPv6, and the longest chain of extension headers: each offset fits its 16 bits.
static_assert(14 + 8 + 8 + 40 + kMaxExtHeaders * 2048 < Layers::kNone);

void parse(std::span<const uint8_t> head, uint32_t frame_len, Depth depth, FlowKey& key, Layers& layers) noexcept {
    head = head.first(std::min<size_t>(head.size(), frame_len));

    parse_ethernet(head, key.eth, layers);
    if (depth == Depth::L2) return;

    key.net = {};
    if (depth == Depth::L4) key.tp = {};
    if (layers.l3 == Layers::kNone) [[unlikely]]
        return;

    Cursor in{head.data() + layers.l3, head.data() + head.size()};
    parse_network(in, frame_len - layers.l3, key.eth.type, key.net, layers);
    if (depth == Depth::L4 && layers.l4 != Layers::kNone && !(key.net.frag & kFragLater))
        parse_transport(in, key.net.proto, key.tp);
}

}  // namespace turnout
