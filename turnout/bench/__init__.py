# SPDX-License-Identifier: Apache-2.0
"""Turnout, OVS-DPDK and the limit side by side: `python -m turnout.bench`.

`scenarios` says what is measured, `traffic` makes the packets, `contenders` starts the switches, `harness`
puts them together and counts, `results` judges, `report` shows; `restart`, `idle` and `evidence` measure the
rest, and `run` does all of it in turn.
"""
