"""The configuration: YAML to `Config`, with every problem at its file, line and key."""

from rangedaemon.config.disk import Disk
from rangedaemon.config.downloads import Downloads
from rangedaemon.config.jobs import Job, Upload
from rangedaemon.config.loading import load, parse
from rangedaemon.config.mirrors import Mirror
from rangedaemon.config.models import (
    AccessLog,
    Config,
    Control,
    Limits,
    Mount,
    Sample,
    Server,
)
from rangedaemon.config.problems import ConfigError, Problem
from rangedaemon.config.retrying import Retry
from rangedaemon.config.uploads import Uploads

__all__ = [
    "AccessLog",
    "Config",
    "ConfigError",
    "Control",
    "Disk",
    "Downloads",
    "Job",
    "Limits",
    "Mirror",
    "Mount",
    "Problem",
    "Retry",
    "Sample",
    "Server",
    "Upload",
    "Uploads",
    "load",
    "parse",
]
