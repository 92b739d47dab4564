# SPDX-License-Identifier: Apache-2.0
"""Controllers on os-ken 4.2, whose package has come without its sample apps; these do what those did."""
