// SPDX-License-Identifier: Apache-2.0
// Runs tests that need mbufs: EAL on ordinary memory, and a pool.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <rte_eal.h>

#include <cstdio>

#include "tests/engine/packets.hpp"

namespace {
rte_mempool* the_pool = nullptr;
}

rte_mempool* turnout::test::pool() { return the_pool; }

int main(int argc, char** argv) {
    const char* eal[] = {
        "offload_test", "--no-huge",        "-m", "64", "--no-shconf", "--no-pci", "--no-telemetry", "--file-prefix",
        "turnout-test", "--log-level=error"};
    if (rte_eal_init(std::size(eal), const_cast<char**>(eal)) < 0) {
        std::fputs("DPDK did not start\n", stderr);
        return 1;
    }
    the_pool = rte_pktmbuf_pool_create("test", 1023, 0, 0, turnout::test::kRoom + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
    const int failed = the_pool ? doctest::Context(argc, argv).run() : 1;
    rte_mempool_free(the_pool);
    rte_eal_cleanup();
    return failed;
}
