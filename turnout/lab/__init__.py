# SPDX-License-Identifier: Apache-2.0
"""Real guests and networks around the switch: namespaces, testpmd, QEMU, and the incumbent to compare with.

Everything here is a context manager that leaves nothing behind, and nothing waits without a deadline.
"""
