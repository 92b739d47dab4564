# SPDX-License-Identifier: Apache-2.0
"""OpenFlow's sockets: connections, services, bridges' agents. What is said over them is
turnout.openflow.session's.
"""
