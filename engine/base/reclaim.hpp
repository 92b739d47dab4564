// SPDX-License-Identifier: Apache-2.0
// Memory that workers may still be reading: handed over here, freed when every worker has moved on. Control's thread
// only.
#pragma once

namespace turnout {

class Reclaimer {
public:
    virtual ~Reclaimer() = default;
    // `free(what)` is called once no worker can have a reference from before this call.
    virtual void later(void* what, void (*free)(void*)) = 0;

    template <typename T>
    void later(T* what) {
        later(const_cast<void*>(static_cast<const void*>(what)), [](void* p) { delete static_cast<T*>(p); });
    }
};

// For tests and for structures that no worker sees.
class FreeAtOnce : public Reclaimer {
public:
    void later(void* what, void (*free)(void*)) override { free(what); }
    using Reclaimer::later;
};

}  // namespace turnout
