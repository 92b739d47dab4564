// SPDX-License-Identifier: Apache-2.0
#include "engine/classify/tuple.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <random>

namespace turnout::classify {
namespace {

constexpr uint64_t kMeanMax = 4, kMeanMin = 1;  // rules a bucket, beyond which their number doubles or halves

}  // namespace

const uint64_t* Tuple::secrets() {
    static const auto numbers = [] {
        std::random_device random;
        std::array<uint64_t, kMaxWords> r;
        for (uint64_t& n : r) n = (uint64_t{random()} << 32 | random()) | 1;
        return r;
    }();
    return numbers.data();
}

Tuple::Tuple(const Layout& layout, const FlowKey& mask, uint32_t shape, bool soft)
    : layout_(layout), shape_(shape), soft_(soft), buckets_(make(1).release()), mask_(mask) {
    layout.pack(mask, packed_);
    for (uint8_t w = 0; w < layout.words(); w++) {
        bits_ += static_cast<unsigned>(std::popcount(packed_[w]));
        if (packed_[w]) used_[n_used_++] = w;
    }
}

Tuple::~Tuple() { delete buckets_.load(std::memory_order_relaxed); }

std::unique_ptr<Tuple::Buckets> Tuple::make(uint64_t n) {
    auto buckets = std::make_unique<Buckets>(Buckets{n - 1, allocate_pages(n * sizeof(Bucket))});
    std::memset(static_cast<void*>(buckets->memory.get()), 0, n * sizeof(Bucket));  // empty: all zero
    return buckets;
}

// There is a free slot, and as many buckets at most as home() can name.
void Tuple::put(const Buckets& all, Place place, Ref ref) {
    for (uint64_t b = place.home();; b++) {
        Bucket& bucket = *all.at(b);
        for (unsigned i = 0; i < Bucket::kSlots; i++) {
            if (bucket.tag(i)) continue;
            bucket.refs[i].store(ref.bits, std::memory_order_release);
            bucket.set_tag(i, place.tag());
            return;
        }
        bucket.count_on(1);
    }
}

void Tuple::insert(const Entry* entry, Reclaimer& reclaimer) {
    if (entry->shape != shape_) uniform_.store(false, std::memory_order_relaxed);
    if (size_ + 1 > kMeanMax * (buckets().mask + 1)) resize(2 * (buckets().mask + 1), reclaimer);
    const Place at = place(entry->values());
    put(buckets(), at, Ref::of(entry, at));
    priorities_[entry->priority]++;
    size_++;
}

bool Tuple::erase(const Entry* entry, Reclaimer& reclaimer) {
    const Place at = place(entry->values());
    const Buckets& all = buckets();
    const uint64_t ref = Ref::of(entry, at).bits;
    for (uint64_t n = 0; n <= all.mask; n++) {
        Bucket& bucket = *all.at(at.home() + n);
        for (unsigned slots = bucket.slots_of(at.tag()); slots; slots &= slots - 1) {
            const auto i = static_cast<unsigned>(__builtin_ctz(slots)) / 2;
            if (bucket.ref(i).bits != ref) continue;
            bucket.set_tag(i, 0);
            for (uint64_t before = 0; before < n; before++) all.at(at.home() + before)->count_on(-1);
            const auto count = priorities_.find(entry->priority);
            if (--count->second == 0) priorities_.erase(count);
            size_--;
            if (all.mask && size_ < kMeanMin * (all.mask + 1)) resize((all.mask + 1) / 2, reclaimer);
            return true;
        }
        if (!bucket.goes_on()) break;
    }
    return false;
}

size_t Tuple::crowd(const uint64_t* packed) const {
    size_t n = 0;
    find(packed, [&n](const Entry*) {
        n++;
        return false;
    });
    return n;
}

void Tuple::resize(uint64_t n, Reclaimer& reclaimer) {
    auto next = make(n);
    const Buckets* const old = &buckets();
    for (uint64_t b = 0; b <= old->mask; b++) {
        const Bucket& bucket = *old->at(b);
        for (unsigned i = 0; i < Bucket::kSlots; i++)
            if (const uint16_t tag = bucket.tag(i)) put(*next, bucket.ref(i).place(tag), bucket.ref(i));
    }
    buckets_.store(next.release(), std::memory_order_release);
    reclaimer.later(const_cast<Buckets*>(old));
}

}  // namespace turnout::classify
