// SPDX-License-Identifier: Apache-2.0
#include "engine/fdb/fdb.hpp"

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

bool replace(Entry* slot, const Entry& expected, const Entry& desired) {
    return __sync_bool_compare_and_swap(reinterpret_cast<Wide*>(slot), std::bit_cast<Wide>(expected),
                                        std::bit_cast<Wide>(desired));
}

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

Fdb::Learned Fdb::insert(uint64_t key, uint64_t hash, PortNo port, uint32_t now) {
    Entry* victim = nullptr;  // an empty slot, or else the entry longest unheard of
    Entry old;
    for (Entry* bucket : {first(hash), second(hash)})
        for (unsigned way = 0; way < kWays; way++) {
            const Entry entry = load(bucket + way);
            if (!victim || (old.key != 0 && (entry.key == 0 || entry.seen < old.seen))) {
                victim = bucket + way;
                old = entry;
            }
        }
    if (!replace(victim, old, {.key = key, .seen = now, .port = port})) return Learned::NoRoom;
    if (old.key != 0) generation_.fetch_add(1, std::memory_order_release);
    return Learned::New;
}

// A lost race is another worker's news of the same address; the next packet tries again.
Fdb::Learned Fdb::move(Entry* slot, const Entry& entry, uint64_t key, PortNo port, uint32_t now) {
    if (entry.key == key && replace(slot, entry, {.key = key, .seen = now, .port = port}))
        generation_.fetch_add(1, std::memory_order_release);
    return Learned::Moved;
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
