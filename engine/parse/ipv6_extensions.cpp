// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "engine/parse/stages.hpp"

namespace turnout {
namespace {

// IP protocol numbers
enum : uint8_t { kHopByHop = 0, kRouting = 43, kFragment = 44, kEsp = 50, kAuth = 51, kNoNext = 59, kDest = 60 };

// OpenFlow's view of a chain: which headers came, and whether in the order of RFC 8200, section 4.1: hop-by-hop,
// destination options, routing, fragment, authentication, ESP, destination options again.
class Chain {
public:
    void note(uint8_t header) {
        switch (header) {
            case kHopByHop:
                return add(kExtHop, 0);
            case kRouting:
                return add(kExtRouter, 2);
            case kFragment:
                return add(kExtFrag, 3);
            case kAuth:
                return add(kExtAuth, 4);
            case kEsp:
                return add(kExtEsp, 5);
            case kNoNext:
                return add(kExtNoNext, 7);
            case kDest:  // expected once in each of its two places
                if (furthest_ == 6) bits_ |= kExtUnrep;
                bits_ |= kExtDest;
                furthest_ = furthest_ < 1 ? 1 : 6;
        }
    }

    uint16_t bits() const { return bits_; }

private:
    void add(uint16_t bit, int place) {
        if (bits_ & bit) bits_ |= kExtUnrep;
        if (place < furthest_) bits_ |= kExtUnseq;
        bits_ |= bit;
        furthest_ = std::max(furthest_, place);
    }

    uint16_t bits_ = 0;
    int furthest_ = -1;
};

bool is_extension(uint8_t proto) {
    return proto == kHopByHop || proto == kRouting || proto == kFragment || proto == kAuth || proto == kDest;
}

}  // namespace

bool parse_ipv6_extensions(Cursor& in, uint8_t first, Network& net) noexcept {
    Chain chain;
    uint8_t proto = first;
    uint8_t frag = 0;

    for (int count = 0; is_extension(proto) && !(frag & kFragLater); count++) {
        if (count == kMaxExtHeaders || !in.has(8)) return false;
        const uint8_t* header = in.at;
        size_t length = 8;
        if (proto == kAuth)
            length = (header[1] + 2u) * 4;
        else if (proto != kFragment)
            length = (header[1] + 1u) * 8;
        if (in.take(length) == nullptr) return false;

        chain.note(proto);
        const bool is_fragment = proto == kFragment;
        proto = header[0];
        if (is_fragment) {
            const uint16_t offset_flags = load<Be16>(header + 2).host();
            if (offset_flags != 0) frag = kFragAny;
            if (offset_flags & 0xfff8) {
                frag |= kFragLater;
                proto = kFragment;  // the header that follows is in the first fragment
            }
        }
    }
    if (proto == kEsp || proto == kNoNext) chain.note(proto);
    net.proto = proto;
    net.frag = frag;
    net.ipv6_exthdr = Be16::of(chain.bits());
    return true;
}

}  // namespace turnout
