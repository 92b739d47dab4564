// SPDX-License-Identifier: Apache-2.0
// Which tallies are in use, and what they say: control's side of the workers' cells.
#pragma once

#include <deque>
#include <span>
#include <vector>

#include "engine/base/tally.hpp"

namespace turnout {

class TallyBook {
public:
    struct Sum {
        uint64_t packets = 0, bytes = 0;
        uint32_t used = 0;  // the workers' second of the last packet; 0: none yet
    };

    explicit TallyBook(std::vector<Tallies*> workers) : workers_(std::move(workers)) {}

    // An id whose sum is zero.
    TallyId take() {
        TallyId id = 0;
        if (free_.size() > kResting) {
            id = free_.front();
            free_.pop_front();
            bases_[id] = raw(id);
        } else {
            id = static_cast<TallyId>(bases_.size());
            bases_.emplace_back();
        }
        return id;
    }
    void give_back(TallyId id) { free_.push_back(id); }

    Sum sum(TallyId id) const {
        Sum now = raw(id);
        const Sum& base = bases_[id];
        if (now.packets == base.packets) now.used = 0;
        now.packets -= base.packets;
        now.bytes -= base.bytes;
        return now;
    }

private:
    // Ids rest before they are used again, lest a burst under way count for the next holder.
    static constexpr size_t kResting = 1 << 12;

    Sum raw(TallyId id) const {
        Sum sum;
        for (const Tallies* worker : workers_) {
            const Tallies::Cell& cell = worker->at(id);
            sum.packets += cell.packets.get();
            sum.bytes += cell.bytes.get();
            sum.used = std::max(sum.used, cell.used.load(std::memory_order_relaxed));
        }
        return sum;
    }

    std::vector<Tallies*> workers_;
    std::vector<Sum> bases_;  // what earlier holders of an id left in its cells
    std::deque<TallyId> free_;
};

}  // namespace turnout
