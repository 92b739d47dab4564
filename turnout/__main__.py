# SPDX-License-Identifier: Apache-2.0
"""`python -m turnout` is the `turnout` command."""

from turnout.cli.main import main

main()
