// SPDX-License-Identifier: Apache-2.0
// What flow caches may keep while rules come and go: for the headers of a usual packet, whether a rule that may want it
// came or went since a version.
//
// Control notes each such rule before its version is published; workers ask beside it, without locks. There is a row of
// cells for each of a few shapes (the header bits that a rule looks at), and a cell for the bits' values: the last
// version that touched them. Rules of yet other shapes void all that was found before them. Answers err towards "yes".
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "engine/base/reserved.hpp"
#include "engine/flow/match.hpp"
#include "engine/parse/usual.hpp"

namespace turnout::of {

class Changes {
public:
    using Version = uint64_t;

    // Control: a rule with this match comes or goes in version `at`, which is not published yet.
    void note(const Match& match, Version at) {
        const Usual::Words mask = Usual::words(match.mask);
        Shape* shape = nullptr;
        for (Shape& each : shapes())
            if (each.is(mask)) shape = &each;
        if (!shape) {
            void_.store(at, std::memory_order_seq_cst);  // before the shape changes: find() asks for it last
            const unsigned n = n_.load(std::memory_order_relaxed);
            if (n == kShapes && ++strangers_ % kPatience != 0) return;
            shape = &rows_[n < kShapes ? n : strangers_ / kPatience % kShapes];
            shape->take(mask);
            if (n < kShapes) n_.store(n + 1, std::memory_order_release);
        }
        shape->cell(Usual::words(match.value)).store(at, std::memory_order_relaxed);
        last_.store(at, std::memory_order_release);
    }

    // Worker: whether it may be that a rule that wants a packet with these words came or went after version `then`.
    bool since(Version then, const Usual::Words& words) const {
        if (last_.load(std::memory_order_acquire) <= then && void_.load(std::memory_order_relaxed) <= then)
            return false;
        bool touched = false;
        for (const Shape& shape : shapes()) touched |= shape.cell(words).load(std::memory_order_acquire) > then;
        return touched || void_.load(std::memory_order_acquire) > then;
    }

private:
    static constexpr unsigned kShapes = 4;
    static constexpr unsigned kPatience = 64;  // changes of other shapes until one of them takes a place
    struct Shape {
        static constexpr size_t kCells = 1 << 12;

        bool is(const Usual::Words& wanted) const {
            bool same = true;
            for (size_t w = 0; w < mask.size(); w++) same &= mask[w].load(std::memory_order_relaxed) == wanted[w];
            return same;
        }
        void take(const Usual::Words& wanted) {
            for (size_t w = 0; w < mask.size(); w++) mask[w].store(wanted[w], std::memory_order_release);
            for (auto& cell : cells) cell.store(0, std::memory_order_release);
        }
        std::atomic<Version>& cell(Usual::Words words) {
            for (size_t w = 0; w < mask.size(); w++) words[w] &= mask[w].load(std::memory_order_acquire);
            return cells[Usual::hash(words) % kCells];
        }
        const std::atomic<Version>& cell(const Usual::Words& words) const {
            return const_cast<Shape*>(this)->cell(words);
        }

        std::array<std::atomic<uint64_t>, std::tuple_size_v<Usual::Words>> mask;
        std::array<std::atomic<Version>, kCells> cells;
    };
    std::span<Shape> shapes() const { return {rows_.data(), n_.load(std::memory_order_acquire)}; }

    Reserved<Shape> rows_{kShapes};
    std::atomic<unsigned> n_{0};
    unsigned strangers_ = 0;
    std::atomic<Version> last_{0}, void_{0};
};

}  // namespace turnout::of
