// SPDX-License-Identifier: Apache-2.0
// A packet's action set (OpenFlow 1.3.5, 5.10): at most one action of a kind, carried out in the standard's order when
// the packet leaves the last table. Holds pointers to the rules' own actions, which outlive the burst.
#pragma once

#include <array>
#include <cstdint>

#include "engine/openflow/action.hpp"

namespace turnout {

class ActionSet {
public:
    // false: more set-field actions than there is room for.
    bool write(const of::Actions& actions);
    void clear() { slots_ = {}, n_sets_ = 0, empty_ = true; }
    bool empty() const { return empty_; }

    // Calls visit(action) for each in order while it returns true.
    template <typename Visit>
    void for_each(const Visit& visit) const {
        for (unsigned i = 0; i < kSet; i++)
            if (slots_[i] && !visit(*slots_[i])) return;
        for (unsigned i = 0; i < n_sets_; i++)
            if (!visit(*sets_[i])) return;
        if (slots_[kQueue] && !visit(*slots_[kQueue])) return;
        // A group takes the place of an output.
        if (slots_[kGroup])
            visit(*slots_[kGroup]);
        else if (slots_[kOutput])
            visit(*slots_[kOutput]);
    }

private:
    enum Slot : unsigned {
        kCopyIn,
        kPopVlan,
        kPopMpls,
        kPopPbb,
        kPushMpls,
        kPushPbb,
        kPushVlan,
        kCopyOut,
        kDecTtl,
        kDecMplsTtl,
        kSet,  // not a slot: all set-field actions come here
        kQueue,
        kGroup,
        kOutput,
        kSlots
    };
    static constexpr unsigned kMostSets = 64;

    static Slot slot_of(const of::Action& action);
    bool add_set(const of::Action& action);

    std::array<const of::Action*, kSlots> slots_{};
    std::array<const of::Action*, kMostSets> sets_;
    unsigned n_sets_ = 0;
    bool empty_ = true;
};

}  // namespace turnout
