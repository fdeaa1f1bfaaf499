"""The configuration: YAML to `Config`, with every problem at its file, line and key."""

from rangedaemon.config.loading import load, parse
from rangedaemon.config.models import Config, Control, Downloads, Job, Mount, Retry, Sample, Server
from rangedaemon.config.problems import ConfigError, Problem

__all__ = [
    "Config",
    "ConfigError",
    "Control",
    "Downloads",
    "Job",
    "Mount",
    "Problem",
    "Retry",
    "Sample",
    "Server",
    "load",
    "parse",
]
