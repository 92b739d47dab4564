// SPDX-License-Identifier: Apache-2.0
#include "engine/fdb/fdb.hpp"

#include <emmintrin.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <new>
#include <random>

namespace turnout {
namespace {

using Entry = Fdb::Entry;
using Wide = unsigned __int128;
static_assert(sizeof(Entry) == sizeof(Wide));

Entry load(const Entry* slot) { return std::bit_cast<Entry>(_mm_load_si128(reinterpret_cast<const __m128i*>(slot))); }

bool replace(Entry* slot, const Entry& expected, const Entry& desired) {
    return __sync_bool_compare_and_swap(reinterpret_cast<Wide*>(slot), std::bit_cast<Wide>(expected),
                                        std::bit_cast<Wide>(desired));
}

void touch(Entry* slot, uint32_t now) { __atomic_store_n(&slot->seen, now, __ATOMIC_RELAXED); }

}  // namespace

Fdb::Fdb(uint32_t capacity, uint32_t aging) : aging_(aging) {
    const uint64_t buckets = std::bit_ceil(std::max<uint64_t>(capacity, 2 * kWays) * 2 / kWays);
    mask_ = buckets - 1;
    std::random_device entropy;
    seed_ = uint64_t{entropy()} << 32 | entropy();
    // Untouched pages of an anonymous mapping cost nothing, so a large table on an idle bridge is free.
    const size_t bytes = buckets * kWays * sizeof(Entry);
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    madvise(memory, bytes, MADV_HUGEPAGE);
    slots_ = static_cast<Entry*>(memory);
}

Fdb::~Fdb() { munmap(slots_, (mask_ + 1) * kWays * sizeof(Entry)); }

PortNo Fdb::find(uint64_t key, uint64_t hash, uint32_t now) const {
    for (const Entry* bucket : {first(hash), second(hash)})
        for (unsigned way = 0; way < kWays; way++)
            if (const Entry entry = load(bucket + way); entry.key == key)
                return alive(entry, now) ? entry.port : kNoPort;
    return kNoPort;
}

Fdb::Learned Fdb::learn(uint64_t key, uint64_t hash, PortNo port, uint32_t now) {
    const Entry fresh{.key = key, .seen = now, .port = port};
    Entry* victim = nullptr;
    Entry old;
    for (Entry* bucket : {first(hash), second(hash)})
        for (unsigned way = 0; way < kWays; way++) {
            Entry* slot = bucket + way;
            const Entry entry = load(slot);
            if (entry.key == key) {
                if (entry.port == port) {
                    if (entry.seen != now) touch(slot, now);
                    return Learned::Known;
                }
                // A lost race is another worker's news of the same address; the next packet tries again.
                if (replace(slot, entry, fresh)) generation_.fetch_add(1, std::memory_order_release);
                return Learned::Moved;
            }
            if (!victim || (old.key != 0 && (entry.key == 0 || entry.seen < old.seen))) {
                victim = slot;
                old = entry;
            }
        }
    if (!replace(victim, old, fresh)) return Learned::NoRoom;
    if (old.key != 0) generation_.fetch_add(1, std::memory_order_release);
    return Learned::New;
}

uint32_t Fdb::remove_if(uint64_t from, uint64_t buckets, const std::function<bool(const Entry&)>& gone) {
    uint32_t removed = 0;
    for (uint64_t i = 0; i < buckets * kWays; i++) {
        Entry* slot = slots_ + ((from * kWays + i) & (mask_ * kWays + kWays - 1));
        const Entry entry = load(slot);
        if (entry.key != 0 && gone(entry) && replace(slot, entry, Entry{})) removed++;
    }
    if (removed) generation_.fetch_add(1, std::memory_order_release);
    return removed;
}

uint32_t Fdb::expire(uint32_t now) {
    const uint64_t buckets = std::min(kExpireBuckets, mask_ + 1);
    const uint64_t from = cursor_;
    cursor_ = (cursor_ + buckets) & mask_;
    return remove_if(from, buckets, [&](const Entry& entry) { return !alive(entry, now); });
}

uint32_t Fdb::flush(const std::function<bool(const Entry&)>& gone) { return remove_if(0, mask_ + 1, gone); }

void Fdb::for_each(uint32_t now, const std::function<void(const Entry&)>& visit) const {
    for (uint64_t i = 0; i < (mask_ + 1) * kWays; i++)
        if (const Entry entry = load(slots_ + i); entry.key != 0 && alive(entry, now)) visit(entry);
}

}  // namespace turnout
