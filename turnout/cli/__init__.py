# SPDX-License-Identifier: Apache-2.0
"""The `turnout` command. Nothing imports this package."""
