// SPDX-License-Identifier: Apache-2.0
#include "engine/port/reconnect.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

namespace turnout {
namespace {

constexpr std::chrono::milliseconds kEvery{100};
constexpr const char* kThread = "vhost_reconn";  // as DPDK calls it

std::mutex lock;
std::condition_variable changed;
int awaited = 0;
bool stopping = false;

int wake_signal() { return SIGRTMAX - 3; }

// DPDK's thread, once there is one; 0 until then.
pid_t find_thread() {
    std::error_code unreadable;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", unreadable)) {
        std::string name;
        std::getline(std::ifstream(task.path() / "comm"), name);
        if (name == kThread) return std::stoi(task.path().filename());
    }
    return 0;
}

}  // namespace

void Reconnect::await(int change) {
    std::scoped_lock held(lock);
    awaited += change;
    changed.notify_one();
}

Reconnect::Reconnect() {
    struct sigaction action {};
    action.sa_handler = [](int) {};  // to be interrupted is all that is wanted
    sigaction(wake_signal(), &action, nullptr);
    stopping = false;
    thread_ = std::thread([this] { run(); });
}

Reconnect::~Reconnect() {
    {
        std::scoped_lock held(lock);
        stopping = true;
        changed.notify_one();
    }
    thread_.join();
}

void Reconnect::run() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    pthread_setname_np(pthread_self(), "turnout-await");
    pid_t dpdk = 0;
    std::unique_lock held(lock);
    while (!stopping) {
        if (awaited == 0) {
            changed.wait(held);
            continue;
        }
        changed.wait_for(held, kEvery);
        held.unlock();
        if (dpdk == 0) dpdk = find_thread();
        if (dpdk != 0) syscall(SYS_tgkill, getpid(), dpdk, wake_signal());
        held.lock();
    }
}

}  // namespace turnout
