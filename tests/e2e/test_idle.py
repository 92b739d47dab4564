# SPDX-License-Identifier: Apache-2.0
"""A worker whose guests and hosts say nothing sleeps, also after they have spoken."""

import time

from tests.e2e.conftest import GuestFactory, HostFactory
from turnout.lab.daemon import Daemon
from turnout.lab.wait import settled

SLEEPS_A_SECOND = 200  # one that never sleeps has none; one that is woken for nothing has tens of thousands


def test_silence_after_traffic_lets_the_worker_sleep(
    switch: Daemon, guest: GuestFactory, host: HostFactory
) -> None:
    talker = guest("a", mode="txonly", peer="02:00:00:00:00:99")
    host("h")
    talker.start()
    talker.stop()
    settled(lambda: switch.stats("a").rx_packets)
    before = switch.workers()[0]
    time.sleep(2)
    after = switch.workers()[0]
    assert 0 < after.sleeps - before.sleeps < 2 * SLEEPS_A_SECOND
    assert after.busy_cycles - before.busy_cycles < (after.total_cycles - before.total_cycles) / 100
