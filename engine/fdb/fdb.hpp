// SPDX-License-Identifier: Apache-2.0
// The MAC learning table (forwarding database) of one bridge: (VLAN, MAC) -> port.
//
// Threads. Any number of workers look up and learn at once, without locks; control expires, flushes and lists at the
// same time. An entry is 16 bytes and is read and replaced as a whole (an aligned SSE load and cmpxchg16b: atomic on
// every x86-64 CPU with AVX), so a reader sees an old entry or a new one, never a mixture.
//
// Shape. Buckets of four entries, one cache line. A key may live in either of two buckets, chosen by a keyed hash, so
// that a guest cannot aim its addresses at another's bucket. When both are full the entry longest unheard of makes
// room: a guest that floods addresses evicts idle ones first. The table starts small and
// doubles while it has to evict, up to its limit, so that few addresses lie in few pages.
//
// Guarantees. find() and learn() touch one cache line when the key is in its first bucket, two at the most. Entries
// older than the aging time are never found, whenever expire() comes by to collect them. Two workers that learn a new
// address at the same instant may store it twice; both copies say the same, the first is used, the other ages out.
//
// Growth. grow() publishes a larger table and hands back the old one; the caller waits until no worker can still use
// that (its business, not ours) and then gives it to retire(), which saves what was learned in between.
//
// Static entries are those that were "heard last" at the end of time: they neither age nor move, and nothing evicts
// them. A worker that was about to note that it has heard one may undo that; expire() puts it right.
//
// generation() changes whenever an answer that find() gave may have become wrong (moved, expired, evicted, flushed);
// learning a new address does not change it.
#pragma once

#include <smmintrin.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>

#include "engine/base/reserved.hpp"
#include "engine/base/types.hpp"

namespace turnout {

class Fdb {
public:
    struct alignas(16) Entry {
        uint64_t key = 0;   // as made by key(); 0: empty
        uint32_t seen = 0;  // when last heard of [s]; kStatic: nobody need ever say it again
        PortNo port = kNoPort;
        uint16_t spare = 0;

        bool is_static() const { return seen == kStatic; }
    };
    static constexpr uint32_t kStatic = UINT32_MAX;
    struct Totals {  // since the last clear_totals()
        uint64_t learned = 0, expired = 0, evicted = 0, moved = 0;
    };
    enum class Learned : uint8_t { Known, New, Moved, NoRoom };

    // Room for at least `limit` addresses, in the end; `aging` [s].
    Fdb(uint32_t limit, uint32_t aging);
    ~Fdb();
    Fdb(const Fdb&) = delete;
    Fdb& operator=(const Fdb&) = delete;

    // mac: the six bytes in the low 48 bits, first byte lowest (as a little-endian load gives them).
    static uint64_t key(uint64_t mac, uint16_t vlan) { return mac | uint64_t{vlan} << 48 | kUsed; }
    static uint64_t mac(uint64_t key) { return key & 0xffff'ffff'ffff; }
    static uint16_t vlan(uint64_t key) { return static_cast<uint16_t>(key >> 48 & 0x0fff); }

    uint64_t hash(uint64_t key) const {
        const auto wide = static_cast<unsigned __int128>(key ^ seed_) * kMultiplier;
        return static_cast<uint64_t>(wide) ^ static_cast<uint64_t>(wide >> 64);
    }
    void prefetch(uint64_t hash) const { __builtin_prefetch(table().first(hash)); }

    // The port of a live entry, or kNoPort.
    PortNo find(uint64_t key, uint64_t hash, uint32_t now) const {
        const Entry* slot = slot_of(key, hash);
        if (!slot) return kNoPort;
        const Entry entry = load(slot);
        return entry.key == key && alive(entry, now) ? entry.port : kNoPort;
    }
    // Notes that `key` was heard on `port`.
    Learned learn(uint64_t key, uint64_t hash, PortNo port, uint32_t now) {
        Entry* slot = slot_of(key, hash);
        if (!slot) return discover(key, hash, port, now);
        const Entry entry = load(slot);
        if (entry.key != key || entry.port != port) return move(slot, entry, key, port, now);
        if (entry.seen < now) __atomic_store_n(&slot->seen, now, __ATOMIC_RELAXED);
        return Learned::Known;
    }

    // Collects what is too old, looking at a bounded part of the table per call; returns how many went.
    uint32_t expire(uint32_t now);
    // Keeps the address on this port until remove_static(). false: no room, all its places are taken by such.
    bool add_static(uint64_t key, PortNo port);
    bool remove_static(uint64_t key);  // false: there is no such entry
    const std::unordered_map<uint64_t, PortNo>& statics() const { return statics_; }
    // Removes the entries for which `gone` holds; returns how many went.
    uint32_t flush(const std::function<bool(const Entry&)>& gone);
    void for_each(uint32_t now, const std::function<void(const Entry&)>& visit) const;

    class Table;
    // A larger table, if what was learned since the last call asks for one: the old one then, else null.
    std::unique_ptr<Table> grow();
    void retire(std::unique_ptr<Table> old, uint32_t now);

    Totals totals() const { return {learned_, expired_, evicted_, moved_}; }
    void clear_totals() { learned_ = expired_ = evicted_ = moved_ = 0; }
    uint32_t generation() const { return generation_.load(std::memory_order_acquire); }
    void set_aging(uint32_t seconds) { aging_.store(seconds, std::memory_order_relaxed); }
    void set_limit(uint32_t limit) { limit_ = limit; }

    // Slots, twice as many as addresses that find room for certain.
    class Table {
    public:
        explicit Table(uint64_t buckets) : slots_(buckets * kWays), buckets_(buckets) {}

        uint64_t buckets() const { return buckets_; }
        std::span<Entry> slots() const { return {slots_.data(), slots_.size()}; }
        Entry* bucket(uint64_t number) const { return slots_.data() + number * kWays; }
        Entry* first(uint64_t hash) const { return bucket((hash >> 32) * buckets_ >> 32); }
        Entry* second(uint64_t hash) const { return bucket((hash & 0xffff'ffff) * buckets_ >> 32); }

    private:
        Reserved<Entry> slots_;
        uint64_t buckets_;
    };

private:
    static constexpr unsigned kWays = 4;
    static constexpr uint64_t kUsed = uint64_t{1} << 63;
    static constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15;
    static constexpr uint64_t kExpireBuckets = 1 << 15;
    static constexpr uint32_t kStart = 4096;  // addresses that a new table has room for

    static Entry load(const Entry* slot) {
        const __m128i raw = _mm_load_si128(reinterpret_cast<const __m128i*>(slot));
        const auto low = static_cast<uint64_t>(_mm_cvtsi128_si64(raw));
        const auto high = static_cast<uint64_t>(_mm_extract_epi64(raw, 1));
        return {low, static_cast<uint32_t>(high), static_cast<PortNo>(high >> 32), static_cast<uint16_t>(high >> 48)};
    }
    const Table& table() const { return *table_.load(std::memory_order_acquire); }
    // Where the key is; it may be gone by the time that the entry is loaded.
    Entry* slot_of(uint64_t key, uint64_t hash) const {
        const Table& in = table();
        Entry* slot = find_in(in.first(hash), key);
        return slot ? slot : find_in(in.second(hash), key);
    }
    static Entry* find_in(Entry* bucket, uint64_t key) {
        for (unsigned way = 0; way < kWays; way++)
            if (__atomic_load_n(&bucket[way].key, __ATOMIC_RELAXED) == key) return bucket + way;
        return nullptr;
    }
    bool make_room(uint64_t hash);
    bool hold(uint64_t key, PortNo port);
    Learned discover(uint64_t key, uint64_t hash, PortNo port, uint32_t now);
    Learned insert(uint64_t key, uint64_t hash, PortNo port, uint32_t now);
    Learned move(Entry* slot, const Entry& entry, uint64_t key, PortNo port, uint32_t now);
    bool alive(const Entry& entry, uint32_t now) const {
        return now - entry.seen <= aging_.load(std::memory_order_relaxed) || now < entry.seen;
    }
    static uint64_t buckets_for(uint64_t addresses);
    int64_t copy(const Table& from, const Table& to) const;
    uint32_t remove_if(uint64_t from, uint64_t buckets, const std::function<bool(const Entry&)>& gone);

    std::unordered_map<uint64_t, PortNo> statics_;  // control's
    std::atomic<Table*> table_;
    uint64_t seed_;
    uint64_t cursor_ = 0;  // next bucket that expire() looks at
    uint32_t limit_;
    std::atomic<uint32_t> aging_;
    alignas(64) std::atomic<uint32_t> generation_{1};
    alignas(64) std::atomic<int64_t> used_{0};  // entries; counted by whoever adds and removes
    std::atomic<uint64_t> squeezed_{0};         // evicted since the last grow()
    std::atomic<uint64_t> learned_{0}, expired_{0}, evicted_{0}, moved_{0};
};

}  // namespace turnout
