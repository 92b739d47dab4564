# SPDX-License-Identifier: Apache-2.0
"""Turnout, OVS-DPDK and the limit side by side: `python -m turnout.bench`.

`scenarios` says what is measured, `rules` makes the tables and the packets that hit them, `traffic` their
files, `contenders` starts the switches, `harness` puts them together and counts, with `churn` beside;
`metrics` says what else is measured, taken by `control`, `latency`, `meter` and `first_packet`, mostly
through the client in `openflow`; `restart`, `idle` and `evidence` measure the rest, and `run` does all of it
in turn; `results` judges, `report` and `plots` show.
"""
