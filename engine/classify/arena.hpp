// SPDX-License-Identifier: Apache-2.0
// Memory of one table: cache-line aligned, in large pages where it is much, so that a lookup in a million rules does
// not also miss the TLB. Control's thread only.
#pragma once

#include <sys/mman.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

namespace turnout::classify {

inline constexpr size_t kLine = 64, kLargePage = size_t{2} << 20;

struct Free {
    void operator()(void* p) const { std::free(p); }
};
using Pages = std::unique_ptr<std::byte, Free>;

// `bytes`: whole lines. Not cleared.
inline Pages allocate_pages(size_t bytes) {
    const bool large = bytes >= kLargePage;
    const size_t align = large ? kLargePage : kLine;
    void* const p = std::aligned_alloc(align, (bytes + align - 1) / align * align);
    if (!p) throw std::bad_alloc();
    if (large) madvise(p, bytes, MADV_HUGEPAGE);  // if the kernel does not, it is slower, not wrong
    return Pages(static_cast<std::byte*>(p));
}

// Blocks of 1 to kMaxLines lines. All goes back when the last block does, or the arena.
class Arena {
public:
    static constexpr size_t kMaxLines = 6;

    void* allocate(size_t lines) {
        auto& free = free_[lines];
        live_++;
        if (!free.empty()) {
            void* const p = free.back();
            free.pop_back();
            return p;
        }
        if (left_ < lines) grow();
        void* const p = next_;
        next_ += lines * kLine;
        left_ -= lines;
        return p;
    }
    void free(void* p, size_t lines) {
        free_[lines].push_back(p);
        if (--live_) return;
        for (auto& free : free_) std::vector<void*>().swap(free);
        chunks_.clear();
        left_ = 0;
    }

private:
    void grow() {
        const size_t bytes = std::min(kLargePage, size_t{4096} << std::min<size_t>(chunks_.size(), 9));
        chunks_.push_back(allocate_pages(bytes));
        next_ = chunks_.back().get();
        left_ = bytes / kLine;
    }

    std::vector<Pages> chunks_;
    std::byte* next_ = nullptr;
    size_t left_ = 0, live_ = 0;
    std::array<std::vector<void*>, kMaxLines + 1> free_;
};

}  // namespace turnout::classify
