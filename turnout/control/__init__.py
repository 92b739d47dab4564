# SPDX-License-Identifier: Apache-2.0
"""What makes the datapath match the desired state, and the daemon around it."""
