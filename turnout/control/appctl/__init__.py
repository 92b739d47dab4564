# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch's own commands, as stock `ovs-appctl` sends them and as tools that parse the answers expect
them. A file per prefix; what Turnout has nothing true to say about is absent.
"""
