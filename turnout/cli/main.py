# SPDX-License-Identifier: Apache-2.0
"""The command's root: a verb's module loads when the verb is used, errors end as one line."""

import importlib
import os
import sys

import click

from turnout import __version__
from turnout.errors import TurnoutError

# verb → (module, what it does); the list is here so that help needs no module
VERBS = {
    "serve": ("serve", "Run the switch until stopped."),
    "add-br": ("change", "Add a bridge."),
    "del-br": ("change", "Remove a bridge with its ports."),
    "add-port": ("change", "Add a port to a bridge."),
    "del-port": ("change", "Remove a port."),
    "set": ("change", "Change a port or a bridge."),
    "list-br": ("names", "Bridges, one a line."),
    "list-ports": ("names", "Ports of a bridge, one a line."),
    "show": ("query", "Bridges, ports and their devices."),
    "stats": ("query", "Packets, bytes, rates and drops of each port."),
    "fdb": ("query", "Learned MAC addresses."),
    "workers": ("query", "What each worker core does."),
    "drops": ("query", "Lost packets by port and reason."),
    "flows": ("openflow", "OpenFlow flows of a bridge, with rates."),
    "trace": ("openflow", "What would become of a packet, and why."),
    "ovs-compat": ("ovs_compat", "Stand in for ovs-vswitchd on this machine."),
    "completion": ("completion", "Print the shell's completion script."),
    "version": ("names", "Print the version."),
}


class Verbs(click.Group):
    """The verbs, in the order above."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"turnout.cli.{VERBS[cmd_name][0]}")
        command = getattr(module, cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, text) for verb, (_, text) in VERBS.items()])


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="turnout %(version)s")
def cli() -> None:
    """A user-space virtual switch.

    \b
    turnout serve &                                  run it
    turnout add-br br0                               a bridge
    turnout add-port br0 vm1 type=vhost-user tag=10  a guest's port
    turnout add-port br0 tap0 type=tap               a port towards the host
    turnout show                                     what is there

    Each verb has its own help: turnout add-port --help
    """


def main() -> None:
    """Runs the command line; exit status 1 after an error, 2 after a wrong use."""
    try:
        status = cli.main(prog_name="turnout", standalone_mode=False)
    except click.UsageError as error:
        verb = error.ctx.command_path if error.ctx else "turnout"
        print(f"{verb}: {error.format_message().rstrip('.')}; see {verb} --help", file=sys.stderr)
        sys.exit(2)
    except click.ClickException as error:
        print(f"turnout: {error.format_message()}", file=sys.stderr)
        sys.exit(1)
    except TurnoutError as error:
        print(f"turnout: {error}", file=sys.stderr)
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:  # "turnout stats | head": nothing to say, and nobody to say it to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)
