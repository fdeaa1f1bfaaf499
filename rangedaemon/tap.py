"""
What ``twistd rangedaemon`` takes and makes.

The configuration is read while the command line is parsed: at that moment twistd
has neither forked nor opened its log nor written its pid file, so a bad
configuration, and ``--check``, end with nothing left behind.  The only module
that imports the reactor, and that inside of `makeService`.
"""

from __future__ import annotations

import atexit
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.application.service import IService
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from rangedaemon import __version__
from rangedaemon.server.sparing import spare_tls

if TYPE_CHECKING:
    from rangedaemon.config import Config
    from rangedaemon.service import Daemon


class Options(UsageOptions):
    """Serve ranges and pull files in segments."""

    synopsis = "[options]"
    optParameters = [["config", "c", None, "The YAML configuration file."]]
    optFlags = [["check", None, "Say every problem of the configuration and exit."]]

    loaded: Config

    def opt_version(self) -> None:
        """Print rangedaemon's version and exit."""
        print(f"rangedaemon {__version__}")  # noqa: T201
        raise SystemExit(0)

    def postOptions(self) -> None:
        """Read the configuration; the end of the program where it is bad or only checked."""
        if self["config"] is None:
            raise UsageError("say where the configuration is: -c conf.yaml")
        spare_tls(Path(self["config"]))
        from rangedaemon.config import ConfigError, load  # noqa: PLC0415 - it loads what is spared

        try:
            self.loaded = load(self["config"], os.environ)
        except ConfigError as exc:
            sys.stderr.write(f"{exc}\n")
            raise SystemExit(1) from None
        if self["check"]:
            raise SystemExit(0)
        self["config"] = str(Path(self["config"]).absolute())


def makeService(options: Options) -> IService:
    """The daemon as one service."""
    from twisted.internet import reactor  # noqa: PLC0415

    from rangedaemon.client.names import read_numbers_at_once  # noqa: PLC0415
    from rangedaemon.server.steady import keep_steady  # noqa: PLC0415
    from rangedaemon.service import build  # noqa: PLC0415 - treq imports the reactor, too
    from rangedaemon.service.filelimit import raise_file_limit  # noqa: PLC0415
    from rangedaemon.service.logs import Threshold, begin_anew, observer_of, output_of  # noqa: PLC0415
    from rangedaemon.service.signals import take_signals  # noqa: PLC0415

    keep_steady(reactor)
    read_numbers_at_once(reactor)
    raise_file_limit()
    daemon = build(options.loaded, reactor, source=options["config"])
    log, output = options.loaded.log, output_of(options.parent or {})
    if output is not None:
        daemon.threshold = Threshold(log.level)
        daemon.observer = observer_of(log.format, daemon.threshold, os.environ, output)
    take_signals(reactor, daemon, lambda: begin_anew(output))
    atexit.register(_tell_status, daemon)
    return daemon


def _tell_status(daemon: Daemon) -> None:
    """End with 1 where the start failed in the reactor: twistd itself would end with 0."""
    if daemon.failed:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)
