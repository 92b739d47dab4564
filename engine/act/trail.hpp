// SPDX-License-Identifier: Apache-2.0
// What a packet's lookups found, in their order: written down while it walks the tables for the first time, and given
// instead of lookups when a later packet of its kind walks them again (cache/walk_cache.hpp). It may end before the
// walk does: the rest is looked up.
#pragma once

#include <array>
#include <cstdint>

#include "engine/classify/classifier.hpp"

namespace turnout {

class Trail {
public:
    static constexpr unsigned kMost = 9;  // lookups
    using Step = uintptr_t;               // a Rule*, or a table without one for the packet

    void write() {
        given_ = n_ = 0;
        mode_ = Mode::Writes;
    }
    // To be given: the caller fills in n steps.
    Step* give(unsigned n) {
        given_ = 0;
        n_ = static_cast<uint8_t>(n);
        mode_ = Mode::Gives;
        return steps_.data();
    }

    // What the next lookup, in `table`, would find; false: it has to be done.
    bool next(unsigned table, const Rule*& rule) {
        if (mode_ != Mode::Gives || given_ == n_) return false;
        const Step step = steps_[given_++];
        rule = Trail::rule(step);
        if ((rule ? rule->table : step >> 1) == table) [[likely]]
            return true;
        given_ = n_;  // this packet went another way: it walks by itself from here on
        return false;
    }
    void found(unsigned table, const Rule* rule) {
        if (mode_ != Mode::Writes) return;
        if (n_ == kMost) return close();
        steps_[n_++] = rule ? reinterpret_cast<Step>(rule) : Step{table} << 1 | 1;
    }
    // From here on the walk depends on more than the packet's key. What is written down is good.
    void close() {
        if (mode_ == Mode::Writes) mode_ = Mode::Written;
    }
    bool written() const { return mode_ != Mode::Gives && n_ > 0; }

    static const Rule* rule(Step step) { return step & 1 ? nullptr : reinterpret_cast<const Rule*>(step); }
    unsigned size() const { return n_; }
    const Step* steps() const { return steps_.data(); }

private:
    enum class Mode : uint8_t { Writes, Written, Gives };

    uint8_t n_ = 0, given_ = 0;
    Mode mode_ = Mode::Gives;
    std::array<Step, kMost> steps_;
};

}  // namespace turnout
