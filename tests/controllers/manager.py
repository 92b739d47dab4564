# SPDX-License-Identifier: Apache-2.0
"""Runs os-ken apps: `python -m tests.controllers.manager --ofp-tcp-listen-port 6653 MODULE`.

os-ken 4.2 has no `osken-manager` any more, only what that was made of.
"""

import logging
import sys

from os_ken import cfg
from os_ken.base.app_manager import AppManager

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(name)s: %(message)s")
    cfg.CONF.register_cli_opts([cfg.MultiStrOpt("app", positional=True, default=[], help="modules to run")])
    cfg.CONF(sys.argv[1:], project="os_ken")
    AppManager.run_apps([*cfg.CONF.app, "os_ken.controller.ofp_handler"])
