// SPDX-License-Identifier: Apache-2.0
#include "engine/fdb/fdb.hpp"

#include <algorithm>
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

Fdb::Fdb(uint32_t limit, uint32_t aging) : limit_(limit), aging_(aging) {
    table_ = new Table(buckets_for(std::min(limit, kStart)));
    std::random_device entropy;
    seed_ = uint64_t{entropy()} << 32 | entropy();
}

Fdb::~Fdb() { delete table_.load(); }

uint64_t Fdb::buckets_for(uint64_t addresses) { return std::max<uint64_t>(addresses, kWays) * 2 / kWays; }

std::unique_ptr<Fdb::Table> Fdb::grow() {
    Table* old = table_.load();
    const uint64_t evicted = squeezed_.exchange(0);
    const auto used = static_cast<uint64_t>(std::max<int64_t>(used_, 0));
    const uint64_t slots = old->buckets() * kWays;
    // An address that finds no room evicts again and again: that says that there is too little room, not how much.
    const uint64_t wanted = buckets_for(std::min<uint64_t>(limit_, evicted > 0 ? slots : used * 5 / 4));
    if ((evicted == 0 && used * 2 < slots) || wanted <= old->buckets()) return nullptr;
    auto larger = std::make_unique<Table>(wanted);
    used_ = copy(*old, *larger);
    table_.store(larger.release(), std::memory_order_release);
    generation_.fetch_add(1, std::memory_order_release);
    return std::unique_ptr<Table>(old);
}

void Fdb::retire(std::unique_ptr<Table> old, uint32_t now) {
    for (const Entry& from : old->slots()) {
        const Entry entry = load(&from);
        if (entry.key == 0 || !alive(entry, now)) continue;
        const uint64_t h = hash(entry.key);
        Entry* slot = slot_of(entry.key, h);
        if (!slot)
            insert(entry.key, h, entry.port, entry.seen);
        else if (const Entry now_there = load(slot); now_there.port != entry.port && now_there.seen < entry.seen)
            move(slot, now_there, entry.key, entry.port, entry.seen);
    }
}

// Into a table that no worker sees yet; returns how many entries found room.
int64_t Fdb::copy(const Table& from, const Table& to) const {
    int64_t copied = 0;
    for (const Entry& old : from.slots()) {
        const Entry entry = load(&old);
        if (entry.key == 0) continue;
        const uint64_t h = hash(entry.key);
        Entry* free = find_in(to.first(h), 0);
        if (!free) free = find_in(to.second(h), 0);
        if (!free) continue;
        *free = entry;
        copied++;
    }
    return copied;
}

// An entry of the two full buckets moves to its own other bucket if there is room; then its slot is free. Both copies
// say the same while there are two.
bool Fdb::make_room(uint64_t hash) {
    const Table& in = table();
    for (Entry* bucket : {in.first(hash), in.second(hash)})
        for (unsigned way = 0; way < kWays; way++) {
            const Entry entry = load(bucket + way);
            if (entry.key == 0) return true;
            const uint64_t h = this->hash(entry.key);
            Entry* free = find_in(bucket == in.first(h) ? in.second(h) : in.first(h), 0);
            const Entry empty = free ? load(free) : entry;
            if (empty.key == 0 && replace(free, empty, entry) && replace(bucket + way, entry, Entry{})) return true;
        }
    return false;
}

Fdb::Learned Fdb::insert(uint64_t key, uint64_t hash, PortNo port, uint32_t now) {
    const Table& in = table();
    const auto choose = [&](Entry& old) {  // an empty slot, or else the entry longest unheard of
        Entry* victim = nullptr;
        for (Entry* bucket : {in.first(hash), in.second(hash)})
            for (unsigned way = 0; way < kWays; way++) {
                const Entry entry = load(bucket + way);
                if (!victim || (old.key != 0 && (entry.key == 0 || entry.seen < old.seen))) {
                    victim = bucket + way;
                    old = entry;
                }
            }
        return victim;
    };
    Entry old;
    Entry* victim = choose(old);
    if (old.key != 0 && make_room(hash)) victim = choose(old);
    if (old.is_static()) return Learned::NoRoom;
    if (!replace(victim, old, {.key = key, .seen = now, .port = port})) return Learned::NoRoom;
    if (old.key != 0) {
        generation_.fetch_add(1, std::memory_order_release);
        squeezed_.fetch_add(1, std::memory_order_relaxed);
        evicted_.fetch_add(1, std::memory_order_relaxed);
    } else {
        used_.fetch_add(1, std::memory_order_relaxed);
    }
    return Learned::New;
}

Fdb::Learned Fdb::discover(uint64_t key, uint64_t hash, PortNo port, uint32_t now) {
    const Learned learned = insert(key, hash, port, now);
    if (learned == Learned::New) learned_.fetch_add(1, std::memory_order_relaxed);
    return learned;
}

// A lost race is another worker's news of the same address; the next packet tries again.
Fdb::Learned Fdb::move(Entry* slot, const Entry& entry, uint64_t key, PortNo port, uint32_t now) {
    if (entry.is_static()) return Learned::Known;
    if (entry.key == key && replace(slot, entry, {.key = key, .seen = now, .port = port})) {
        generation_.fetch_add(1, std::memory_order_release);
        moved_.fetch_add(1, std::memory_order_relaxed);
    }
    return Learned::Moved;
}

bool Fdb::hold(uint64_t key, PortNo port) {
    const uint64_t h = hash(key);
    for (unsigned attempt = 0; attempt < 100; attempt++) {  // workers may be changing what it looks at
        Entry* slot = slot_of(key, h);
        if (!slot) insert(key, h, port, 0);
        if (!slot) slot = slot_of(key, h);
        const Entry entry = slot ? load(slot) : Entry{};
        if (entry.key == key && entry.is_static() && entry.port == port) return true;
        if (entry.key == key && replace(slot, entry, {.key = key, .seen = kStatic, .port = port}))
            generation_.fetch_add(1, std::memory_order_release);
    }
    return false;
}

bool Fdb::add_static(uint64_t key, PortNo port) {
    const bool held = hold(key, port);
    if (held) statics_[key] = port;
    return held;
}

bool Fdb::remove_static(uint64_t key) {
    if (statics_.erase(key) == 0) return false;
    remove_if(0, table().buckets(), [&](const Entry& entry) { return entry.key == key; });
    return true;
}

uint32_t Fdb::remove_if(uint64_t from, uint64_t buckets, const std::function<bool(const Entry&)>& gone) {
    const Table& in = table();
    uint32_t removed = 0;
    for (uint64_t number = from; number < from + buckets; number++)
        for (unsigned way = 0; way < kWays; way++) {
            Entry* slot = in.bucket(number % in.buckets()) + way;
            const Entry entry = load(slot);
            if (entry.key != 0 && gone(entry) && replace(slot, entry, Entry{})) removed++;
        }
    used_.fetch_sub(removed, std::memory_order_relaxed);
    if (removed) generation_.fetch_add(1, std::memory_order_release);
    return removed;
}

uint32_t Fdb::expire(uint32_t now) {
    const uint64_t buckets = std::min(kExpireBuckets, table().buckets());
    const uint64_t from = cursor_;
    cursor_ = (cursor_ + buckets) % table().buckets();
    const uint32_t gone = remove_if(from, buckets, [&](const Entry& entry) { return !alive(entry, now); });
    expired_.fetch_add(gone, std::memory_order_relaxed);
    for (const auto& [key, port] : statics_) hold(key, port);
    return gone;
}

uint32_t Fdb::flush(const std::function<bool(const Entry&)>& gone) {
    std::erase_if(statics_,
                  [&](const auto& held) { return gone({.key = held.first, .seen = kStatic, .port = held.second}); });
    return remove_if(0, table().buckets(), gone);
}

void Fdb::for_each(uint32_t now, const std::function<void(const Entry&)>& visit) const {
    for (const Entry& slot : table().slots())
        if (const Entry entry = load(&slot); entry.key != 0 && alive(entry, now)) visit(entry);
}

}  // namespace turnout
