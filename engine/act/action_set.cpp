// SPDX-License-Identifier: Apache-2.0
#include "engine/act/action_set.hpp"

#include <algorithm>
#include <utility>

namespace turnout {
namespace {

template <typename... Kinds>
bool is_any(const of::Action& action) {
    return (std::holds_alternative<Kinds>(action.is) || ...);
}

// Whether `later`, a set-field action of the same field, leaves nothing of `earlier`.
bool replaces(const of::SetField& later, const of::SetField& earlier) {
    if (later.field != earlier.field) return false;
    for (unsigned i = 0; i < later.field->bytes; i++)
        if (earlier.mask[i] & ~later.mask[i]) return false;
    return true;
}

}  // namespace

ActionSet::Slot ActionSet::slot_of(const of::Action& action) {
    using namespace of;
    if (is_any<CopyTtlIn>(action)) return kCopyIn;
    if (is_any<PopVlan>(action)) return kPopVlan;
    if (is_any<PopMpls>(action)) return kPopMpls;
    if (is_any<PopPbb>(action)) return kPopPbb;
    if (is_any<PushMpls>(action)) return kPushMpls;
    if (is_any<PushPbb>(action)) return kPushPbb;
    if (is_any<PushVlan>(action)) return kPushVlan;
    if (is_any<CopyTtlOut>(action)) return kCopyOut;
    if (is_any<DecTtl>(action)) return kDecTtl;
    if (is_any<DecMplsTtl>(action)) return kDecMplsTtl;
    if (is_any<SetQueue, Enqueue>(action)) return is_any<Enqueue>(action) ? kOutput : kQueue;
    if (is_any<ToGroup>(action)) return kGroup;
    if (is_any<Output, OutputReg, OutputTrunc, Controller, Resubmit, Bundle>(action)) return kOutput;
    if (is_any<SetField, Move, SetVlanVid, SetVlanPcp, SetMplsTtl>(action)) return kSet;
    return kSlots;  // no place in an action set
}

bool ActionSet::add_set(const of::Action& action) {
    if (const auto* later = std::get_if<of::SetField>(&action.is)) {
        const auto gone = std::remove_if(sets_.begin(), sets_.begin() + n_sets_, [&](const of::Action* earlier) {
            const auto* set = std::get_if<of::SetField>(&earlier->is);
            return set && replaces(*later, *set);
        });
        n_sets_ = static_cast<unsigned>(gone - sets_.begin());
    }
    if (n_sets_ == kMostSets) return false;
    sets_[n_sets_++] = &action;
    return true;
}

bool ActionSet::write(const of::Actions& actions) {
    for (const of::Action& action : actions) {
        const Slot slot = slot_of(action);
        if (slot == kSlots) continue;
        empty_ = false;
        if (slot == kSet) {
            if (!add_set(action)) return false;
        } else {
            slots_[slot] = &action;
        }
    }
    return true;
}

}  // namespace turnout
