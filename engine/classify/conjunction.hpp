// SPDX-License-Identifier: Apache-2.0
// Conjunctive matches (ovs-fields(7), "Conjunctive Match Fields").
//
// A rule whose actions are conjunction(id, k/n) is no answer but a clause: a soft match. Where, at one priority, a
// packet has a soft match for each of an id's n clauses, and no other rule of that priority or a higher one, the answer
// is what a packet with that conj_id finds. If that is nothing, soft matches of lower priorities get their turn.
#pragma once

#include "engine/openflow/action.hpp"

namespace turnout::classify {

inline bool is_clause(const of::Program* program) {
    if (!program) return false;
    bool some = false;
    for (const of::Action& action : program->apply) {
        if (std::holds_alternative<of::Conjunction>(action.is))
            some = true;
        else if (!std::holds_alternative<of::Note>(action.is))
            return false;
    }
    return some;
}

// Which clauses of which ids are matched, at the highest priority seen. It holds the kMax smallest ids above a floor,
// however many there are: the rest is for another round, with a higher floor.
class Clauses {
public:
    void reset(int64_t floor) {
        n_ = 0;
        floor_ = floor;
        more_ = false;
    }
    void add(const of::Program& program) {
        for (const of::Action& action : program.apply)
            if (const auto* clause = std::get_if<of::Conjunction>(&action.is)) add(*clause);
    }
    // Calls use(id) for each whose clauses are all matched until it returns true; whether it did.
    template <typename Use>
    bool any_whole(Use use) const {
        for (unsigned i = 0; i < n_; i++)
            if (ids_[i].missing == 0 && use(ids_[i].id)) return true;
        return false;
    }
    bool more() const { return more_; }
    int64_t last() const { return ids_[n_ - 1].id; }  // if there is more

private:
    static constexpr unsigned kMax = 64;
    struct Id {
        uint32_t id;
        uint64_t missing;  // a bit a clause
    };

    void add(const of::Conjunction& clause) {
        if (clause.id <= floor_) return;
        unsigned i = 0;
        while (i < n_ && ids_[i].id < clause.id) i++;
        if (i == kMax || (i == n_ && more_)) {
            more_ = true;
            return;
        }
        if (i == n_ || ids_[i].id != clause.id) {
            more_ |= n_ == kMax;
            n_ = n_ == kMax ? kMax : n_ + 1;
            for (unsigned j = n_ - 1; j > i; j--) ids_[j] = ids_[j - 1];
            ids_[i] = {clause.id, clause.clauses >= 64 ? ~uint64_t{0} : (uint64_t{1} << clause.clauses) - 1};
        }
        ids_[i].missing &= ~(uint64_t{1} << (clause.clause & 63));
    }

    int64_t floor_ = -1;
    unsigned n_ = 0;
    bool more_ = false;
    Id ids_[kMax];  // by rising id
};

}  // namespace turnout::classify
