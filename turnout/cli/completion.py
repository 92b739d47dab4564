# SPDX-License-Identifier: Apache-2.0
"""The completion script; what it completes comes from the verbs themselves and the running daemon."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the shell's completion script.

    \b
    eval "$(turnout completion bash)"                                     now
    turnout completion bash > /etc/bash_completion.d/turnout             for ever
    turnout completion zsh  > /usr/share/zsh/vendor-completions/_turnout
    turnout completion fish > ~/.config/fish/completions/turnout.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "turnout", "_TURNOUT_COMPLETE").source())
