// SPDX-License-Identifier: Apache-2.0
// Room for many: zeroed memory in large pages, so that what lies anywhere in it costs few TLB misses. What is never
// touched costs address space and no memory.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>

namespace turnout {

template <typename T>  // for which all bits zero is a good start
class Reserved {
public:
    explicit Reserved(size_t n) : n_(n) {
        void* const room =
            mmap(nullptr, n * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (room == MAP_FAILED) throw std::bad_alloc();
        madvise(room, n * sizeof(T), MADV_HUGEPAGE);  // if the kernel does not, it is slower, not wrong
        data_ = static_cast<T*>(room);
    }
    ~Reserved() { munmap(data_, n_ * sizeof(T)); }
    Reserved(const Reserved&) = delete;
    Reserved& operator=(const Reserved&) = delete;

    T* data() const { return data_; }
    size_t size() const { return n_; }
    T& operator[](size_t i) const { return data_[i]; }

private:
    T* data_;
    size_t n_;
};

}  // namespace turnout
