# SPDX-License-Identifier: Apache-2.0
"""Desired state: what the switch should be, immutable and validated; as TOML, JSON and columns."""
