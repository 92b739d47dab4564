# SPDX-License-Identifier: Apache-2.0
"""The switch's side of OpenFlow 1.0, 1.3 and 1.4: bytes and `now` in, bytes and events out; no I/O.

Messages that carry matches or actions pass as bytes to the engine's `Tables`; all others are handled here, as
Open vSwitch 3.1 does where the standard leaves a choice.
"""
