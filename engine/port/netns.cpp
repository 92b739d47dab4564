// SPDX-License-Identifier: Apache-2.0
#include "engine/port/netns.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <thread>

#include "engine/base/error.hpp"

namespace turnout {

void in_netns(const std::string& netns, const std::function<void()>& body) {
    if (netns.empty()) return body();
    std::exception_ptr failure;
    std::thread([&] {
        try {
            const int fd = open(("/run/netns/" + netns).c_str(), O_RDONLY | O_CLOEXEC);
            if (fd < 0)
                throw Error("network namespace '" + netns + "': " + std::strerror(errno) +
                            "; create it with 'ip netns add " + netns + "'");
            const int result = setns(fd, CLONE_NEWNET);
            const int error = errno;
            ::close(fd);
            if (result < 0) throw Error("network namespace '" + netns + "': " + std::strerror(error));
            body();
        } catch (...) {
            failure = std::current_exception();
        }
    }).join();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace turnout
