// SPDX-License-Identifier: Apache-2.0
#include "engine/classify/prefixes.hpp"

#include <algorithm>
#include <new>

namespace turnout::classify {

Prefixes::Slots Prefixes::Node::expanded() {
    Slots slots;
    for (unsigned i = 0; i < kFan; i++) slots[i] = run(i).load(std::memory_order_relaxed);
    return slots;
}

// A slot with a node is a run of its own, because two nodes are never the same.
uint64_t Prefixes::Node::make(uint64_t above, const Slots& slots) {
    unsigned n = 0;
    for (unsigned i = 0; i < kFan; i++) n += i == 0 || slots[i] != slots[i - 1];
    void* const memory = ::operator new (sizeof(Node) + n * sizeof(Slot), std::align_val_t{kLine});
    Node* const made = new (memory) Node{};
    made->above.store(above, std::memory_order_relaxed);
    made->n_runs = static_cast<uint16_t>(n);
    n = 0;
    for (unsigned i = 0; i < kFan; i++) {
        if (i % 64 == 0) made->before[i / 64] = static_cast<uint16_t>(n);
        if (i && slots[i] == slots[i - 1]) continue;
        made->starts[i / 64] |= uint64_t{1} << i % 64;
        new (made->runs() + n++) Slot(slots[i]);
    }
    return reinterpret_cast<uint64_t>(made) | 1;
}

Prefixes::Prefixes() : memory_(allocate_pages(kRoot * sizeof(Slot))), root_(reinterpret_cast<Slot*>(memory_.get())) {
    for (unsigned i = 0; i < kRoot; i++) new (root_ + i) Slot(0);
}

Prefixes::~Prefixes() {
    for (unsigned i = 0; i < kRoot; i++) destroy(root_[i].load(std::memory_order_relaxed));
}

void Prefixes::destroy(uint64_t slot) {
    if (!is_node(slot)) return;
    Node* const gone = node(slot);
    for (unsigned i = 0; i < gone->n_runs; i++) destroy(gone->runs()[i].load(std::memory_order_relaxed));
    ::operator delete (gone, std::align_val_t{kLine});
}

// `slot`, of a node's level (16, 24, 32: the bits of the address down to its slots), after a change to a prefix that
// lies below it. Makes the node that is needed and drops the one that is not.
template <typename Change>
uint64_t Prefixes::changed(uint64_t slot, uint32_t address, unsigned level, unsigned length, Reclaimer& reclaimer,
                           Change change) {
    Slots slots{};
    uint64_t above = slot;
    if (is_node(slot)) {
        slots = node(slot)->expanded();
        above = node(slot)->above.load(std::memory_order_relaxed);
    }
    const unsigned first = address >> (32 - level) & 0xff;
    if (length > level) {
        const uint64_t next = changed(slots[first], address, level + 8, length, reclaimer, change);
        if (is_node(slot) && is_node(slots[first]) && is_node(next)) {
            node(slot)->run(first).store(next, std::memory_order_release);
            return slot;
        }
        slots[first] = next;
    } else {
        for (unsigned i = first; i < first + (1u << (level - length)); i++) {
            if (is_node(slots[i])) {
                Slot& below = node(slots[i])->above;
                below.store(change(below.load(std::memory_order_relaxed)), std::memory_order_release);
            } else {
                slots[i] = change(slots[i]);
            }
        }
    }
    const bool empty = std::all_of(slots.begin(), slots.end(), [](uint64_t s) { return s == 0; });
    if (is_node(slot)) reclaimer.later(node(slot), [](void* p) { ::operator delete (p, std::align_val_t{kLine}); });
    return empty ? above : Node::make(above, slots);
}

template <typename Change>
void Prefixes::change(uint32_t address, unsigned length, Reclaimer& reclaimer, Change change) {
    const uint32_t first = address >> 16;
    if (length > 16) {
        const uint64_t old = root_[first].load(std::memory_order_relaxed);
        root_[first].store(changed(old, address, 24, length, reclaimer, change), std::memory_order_release);
        return;
    }
    for (uint32_t i = first; i < first + (1u << (16 - length)); i++) {
        const uint64_t old = root_[i].load(std::memory_order_relaxed);
        Slot& slot = is_node(old) ? node(old)->above : root_[i];
        slot.store(change(slot.load(std::memory_order_relaxed)), std::memory_order_release);
    }
}

void Prefixes::insert(const Entry* rule, uint32_t address, unsigned length, Reclaimer& reclaimer) {
    const uint64_t mine = slot_of({rule, length});
    change(address, length, reclaimer,
           [&](uint64_t there) { return there && Prefixes::length(there) > length ? there : mine; });
}

void Prefixes::replace(const Entry* rule, uint32_t address, unsigned length, Other by, Reclaimer& reclaimer) {
    change(address, length, reclaimer,
           [&](uint64_t there) { return there && Prefixes::rule(there) == rule ? slot_of(by) : there; });
}

}  // namespace turnout::classify
