# SPDX-License-Identifier: Apache-2.0
"""`python -m turnout.lab VERB`."""

import sys

import click

from turnout.errors import TurnoutError
from turnout.lab import demo, idle, probe
from turnout.lab.console import LabError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def lab() -> None:
    """Real guests and networks around the switch."""


lab.command("probe", help="What this machine can do.")(probe.show)
lab.command("demo", help="Two guests and two namespaces through one switch.")(demo.show)
lab.command("idle", help="What an idle daemon costs, and a lone ping; fails beyond the bounds.")(idle.show)

try:
    lab()
except (LabError, TurnoutError) as error:
    sys.exit(f"turnout.lab: {error}")
