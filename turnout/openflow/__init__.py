# SPDX-License-Identifier: Apache-2.0
"""OpenFlow: text, wire and sessions in Python; messages with matches and actions go to the engine."""
