# SPDX-License-Identifier: Apache-2.0
"""The Open_vSwitch database (ovs-vswitchd.conf.db(5)) as the source of the desired state, and what is as its
status.
"""
