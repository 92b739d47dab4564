// SPDX-License-Identifier: Apache-2.0
// A tuple: rules that all look at some bits at least, hashed by these.
//
// A bucket is one cache line: six tags of 16 bits, six references, and a count of the rules that found no room here and
// went on to the next bucket. A lookup compares the tags at once and follows the references whose tag is right; the
// rule then decides. Rules of more bits than the tuple's are welcome (Daly et al., TupleMerge, 2019) as long as few of
// them meet in one place.
//
// Workers read while control writes: a reference is stored before its tag, a rule stays where it is, and a larger or
// smaller set of buckets is filled before it is published. A reader who follows a stale tag finds a rule that it does
// not want. The references keep, in the bits that a pointer leaves free, what is needed of the hash to move to larger
// buckets: growing touches no rule.
#pragma once

#include <emmintrin.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <span>

#include "engine/base/reclaim.hpp"
#include "engine/classify/arena.hpp"
#include "engine/classify/classifier.hpp"
#include "engine/classify/layout.hpp"

namespace turnout::classify {

// A rule and, behind it, the values of its layout's words.
struct Entry : Rule {
    const uint64_t* values() const { return reinterpret_cast<const uint64_t*>(this + 1); }
    uint64_t* values() { return reinterpret_cast<uint64_t*>(this + 1); }
};

// Where in a tuple's buckets a rule belongs: of its hash, the bits that a bucket keeps.
struct Place {
    uint64_t hash;

    uint16_t tag() const { return static_cast<uint16_t>(hash >> 48 | 1); }  // never 0, which is "empty"
    uint64_t low() const { return hash & 0x3f'ffff; }
    uint64_t home() const { return low() | hash >> 49 << 22; }  // to be masked with the number of buckets - 1
};

// A rule's address with Place::low() around it.
struct Ref {
    uint64_t bits;

    static Ref of(const Entry* entry, Place place) {
        return {reinterpret_cast<uint64_t>(entry) | (place.low() & 0x3f) | place.low() >> 6 << 48};
    }
    const Entry* entry() const { return reinterpret_cast<const Entry*>(bits & 0xffff'ffff'ffc0); }
    Place place(uint16_t tag) const { return {uint64_t{tag} << 48 | bits >> 48 << 6 | (bits & 0x3f)}; }
};

struct alignas(kLine) Bucket {
    static constexpr unsigned kSlots = 6;

    std::atomic<uint64_t> tags[2];  // tag of slot i: 16 bits from 16 * i; the seventh: rules that went on from here
    std::atomic<uint64_t> refs[kSlots];

    // The slots of this tag, two bits each.
    unsigned slots_of(uint16_t tag) const {
        const uint64_t low = tags[0].load(std::memory_order_acquire), high = tags[1].load(std::memory_order_acquire);
        const __m128i all = _mm_set_epi64x(static_cast<int64_t>(high), static_cast<int64_t>(low));
        const __m128i same = _mm_cmpeq_epi16(all, _mm_set1_epi16(static_cast<int16_t>(tag)));
        return static_cast<unsigned>(_mm_movemask_epi8(same)) & 0x555;
    }
    uint16_t tag(unsigned i) const { return lane(i); }
    // What is in the first of these slots; anything if there is none.
    const Entry* first(unsigned slots) const;
    bool goes_on() const { return lane(kSlots) != 0; }
    // Acquires by itself: behind a stale tag there may be another rule by now, which must be whole.
    Ref ref(unsigned i) const { return {refs[i].load(std::memory_order_acquire)}; }

    // --- control
    void set_tag(unsigned i, uint16_t tag) {
        auto& half = tags[i / 4];
        const unsigned at = i % 4 * 16;
        const uint64_t others = half.load(std::memory_order_relaxed) & ~(uint64_t{0xffff} << at);
        half.store(others | uint64_t{tag} << at, std::memory_order_release);
    }
    void count_on(int by) {  // once at its maximum it stays there
        const uint16_t n = lane(kSlots);
        if (n != 0xffff) set_tag(kSlots, static_cast<uint16_t>(n + by));
    }

private:
    uint16_t lane(unsigned i) const {
        return static_cast<uint16_t>(tags[i / 4].load(std::memory_order_relaxed) >> i % 4 * 16);
    }
};
static_assert(sizeof(Bucket) == kLine);

inline const Entry* Bucket::first(unsigned slots) const {
    return ref(static_cast<unsigned>(__builtin_ctz(slots | 1u << 2 * (kSlots - 1))) / 2).entry();
}

class Tuple {
public:
    // The buckets as workers see them; their number less one is `mask`.
    struct Buckets {
        uint64_t mask;
        Pages memory;
        Bucket* at(uint64_t i) const { return reinterpret_cast<Bucket*>(memory.get()) + (i & mask); }
    };

    static constexpr uint32_t kNoShape = UINT32_MAX;

    // `shape`: that of rules whose bits are the tuple's own, or kNoShape.
    Tuple(const Layout& layout, const FlowKey& mask, uint32_t shape, bool soft);
    ~Tuple();
    Tuple(const Tuple&) = delete;
    Tuple& operator=(const Tuple&) = delete;

    const Layout& layout() const { return layout_; }
    const FlowKey& mask() const { return mask_; }
    const uint64_t* packed_mask() const { return packed_; }
    uint32_t own_shape() const { return shape_; }
    bool soft() const { return soft_; }      // its rules are clauses of conjunctions
    unsigned bits() const { return bits_; }  // of the mask
    // Whether all its rules look at the tuple's own bits. Once false it stays so: a worker that still sees true is at a
    // version to which no other rule is visible.
    bool uniform() const { return uniform_.load(std::memory_order_relaxed); }
    const Buckets& buckets() const { return *buckets_.load(std::memory_order_acquire); }

    Place place(const uint64_t* packed) const {
        return hash([packed](unsigned w) { return packed[w]; }, n_used_);
    }
    // Those of some packets of a burst.
    void places(const PackedBurst& packed, std::span<const uint8_t> packets, Place* places) const {
        const auto each = [&](auto n) {
            for (size_t a = 0; a < packets.size(); a++)
                places[a] = hash([&](unsigned w) { return packed[w][packets[a]]; }, n);
        };
        switch (n_used_) {  // few words: unrolled
            case 1:
                return each(std::integral_constant<unsigned, 1>());
            case 2:
                return each(std::integral_constant<unsigned, 2>());
            case 3:
                return each(std::integral_constant<unsigned, 3>());
            default:
                return each(n_used_);
        }
    }

    // --- control
    void insert(const Entry* entry, Reclaimer& reclaimer);
    bool erase(const Entry* entry, Reclaimer& reclaimer);  // whether it was here
    size_t size() const { return size_; }
    // The highest and the lowest priority of its rules; 0 if it is empty.
    uint16_t highest() const { return priorities_.empty() ? 0 : priorities_.rbegin()->first; }
    uint16_t lowest() const { return priorities_.empty() ? 0 : priorities_.begin()->first; }
    // Calls visit(const Entry*) for what may have this packed value (the tuple's bits of it), until it returns true.
    template <typename Visit>
    const Entry* find(const uint64_t* packed, Visit visit) const;
    // About how many rules have this packed value (the tuple's bits of it).
    size_t crowd(const uint64_t* packed) const;
    template <typename Visit>
    void for_each(Visit visit) const;

private:
    static const uint64_t* secrets();  // kMaxWords odd numbers that nobody outside knows

    // Multiply and fold, a word at a time. Which packets share a bucket depends on the secrets alone.
    template <typename Word, typename N>
    [[gnu::always_inline]] Place hash(Word get, N n) const {
        uint64_t h = 0;
        for (unsigned i = 0; i < n; i++) {
            const unsigned w = used_[i];
            const auto product = static_cast<unsigned __int128>(h ^ (get(w) & packed_[w])) * secrets_[i];
            h = static_cast<uint64_t>(product >> 64) ^ static_cast<uint64_t>(product);
        }
        return {h};
    }
    static std::unique_ptr<Buckets> make(uint64_t n);
    static void put(const Buckets& buckets, Place place, Ref ref);
    void resize(uint64_t n, Reclaimer& reclaimer);

    const Layout& layout_;
    const uint64_t* const secrets_ = secrets();
    uint32_t shape_;
    bool soft_;
    unsigned bits_ = 0;
    uint8_t n_used_ = 0, used_[kMaxWords];  // words with bits of the mask
    uint64_t packed_[kMaxWords];
    std::atomic<const Buckets*> buckets_;
    std::atomic<bool> uniform_{true};
    size_t size_ = 0;
    std::map<uint16_t, size_t> priorities_;  // rules of each
    FlowKey mask_;
};

template <typename Visit>
const Entry* Tuple::find(const uint64_t* packed, Visit visit) const {
    const Place at = place(packed);
    const Buckets& all = buckets();
    for (uint64_t n = 0; n <= all.mask; n++) {
        const Bucket& bucket = *all.at(at.home() + n);
        for (unsigned slots = bucket.slots_of(at.tag()); slots; slots &= slots - 1) {
            const Entry* const entry = bucket.first(slots);
            if (visit(entry)) return entry;
        }
        if (!bucket.goes_on()) break;
    }
    return nullptr;
}

template <typename Visit>
void Tuple::for_each(Visit visit) const {
    constexpr uint64_t kAhead = 4;
    const Buckets& all = buckets();
    for (uint64_t n = 0; n <= all.mask; n++) {
        const Bucket& ahead = *all.at(std::min(n + kAhead, all.mask));
        for (unsigned i = 0; i < Bucket::kSlots; i++) __builtin_prefetch(ahead.ref(i).entry());
        const Bucket& bucket = *all.at(n);
        for (unsigned i = 0; i < Bucket::kSlots; i++)
            if (bucket.tag(i)) visit(bucket.ref(i).entry());
    }
}

}  // namespace turnout::classify
