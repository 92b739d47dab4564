// SPDX-License-Identifier: Apache-2.0
#include "engine/port/eal.hpp"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include <cstdio>
#include <deque>
#include <mutex>

#include "engine/base/error.hpp"

namespace turnout {
namespace {

constexpr size_t kKeptLines = 256;

std::mutex log_lock;
std::deque<std::string> log_lines;
thread_local std::string last_line;
bool started = false;

ssize_t keep_log(void*, const char* text, size_t size) {
    std::string line(text, size);
    while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
    if (line.empty()) return static_cast<ssize_t>(size);
    last_line = line;
    std::scoped_lock held(log_lock);
    log_lines.push_back(std::move(line));
    if (log_lines.size() > kKeptLines) log_lines.pop_front();
    return static_cast<ssize_t>(size);
}

}  // namespace

void start_eal(const std::vector<std::string>& args) {
    if (started) return;
    static const cookie_io_functions_t stream_functions{nullptr, keep_log, nullptr, nullptr};
    FILE* stream = fopencookie(nullptr, "w", stream_functions);
    setvbuf(stream, nullptr, _IOLBF, 0);
    rte_openlog_stream(stream);

    std::vector<std::string> owned{"turnout"};
    owned.insert(owned.end(), args.begin(), args.end());
    std::vector<char*> argv;
    for (std::string& arg : owned) argv.push_back(arg.data());

    cpu_set_t affinity;
    pthread_getaffinity_np(pthread_self(), sizeof affinity, &affinity);
    const int result = rte_eal_init(static_cast<int>(argv.size()), argv.data());
    pthread_setaffinity_np(pthread_self(), sizeof affinity, &affinity);
    if (result < 0) {
        const std::string detail = last_dpdk_line();
        throw Error("DPDK did not start: " + std::string(rte_strerror(rte_errno)) +
                    (detail.empty() ? "" : " (" + detail + ")"));
    }
    started = true;
}

bool eal_started() { return started; }

std::vector<std::string> take_dpdk_log() {
    std::scoped_lock held(log_lock);
    std::vector<std::string> lines(log_lines.begin(), log_lines.end());
    log_lines.clear();
    return lines;
}

std::string last_dpdk_line() { return last_line; }
void forget_dpdk_lines() { last_line.clear(); }

}  // namespace turnout
