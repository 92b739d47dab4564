# SPDX-License-Identifier: Apache-2.0
"""Run by Debian's Python, which has Mininet: four switches in a line, two hosts at each, all ping all. Prints
the share that got lost, in percent.
"""

from functools import partial

from mininet.net import Mininet
from mininet.node import OVSSwitch
from mininet.topo import LinearTopo

switch = partial(OVSSwitch, datapath="user", failMode="standalone")
net = Mininet(LinearTopo(k=4, n=2), switch=switch, controller=None)
try:
    net.start()
    print("lost:", net.pingAll(timeout="5"))
finally:
    net.stop()
