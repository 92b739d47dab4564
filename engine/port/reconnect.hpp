// SPDX-License-Identifier: Apache-2.0
// Reconnecting to guests that own their vhost-user socket, at once.
//
// DPDK tries to connect again from a thread of its own that sleeps a whole second between tries, and offers no way to
// ask for more. While a guest is awaited, its sleep is cut short ten times a second, by a signal to that thread alone.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

namespace turnout {

class Reconnect {
public:
    // One more, or one less, device waits for its guest. From any thread.
    static void await(int change);

    Reconnect();
    ~Reconnect();
    Reconnect(const Reconnect&) = delete;
    Reconnect& operator=(const Reconnect&) = delete;

private:
    void run();

    std::thread thread_;
};

}  // namespace turnout
