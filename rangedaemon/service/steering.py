"""How the daemon is steered: the control site, made of the configuration and of what it may use."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from rangedaemon.client.runner import Runner
from rangedaemon.config import Config
from rangedaemon.control.pushing import PushPlaces
from rangedaemon.control.site import ControlSite, Host, Settings, build_control_site
from rangedaemon.control.tokens import Keyring
from rangedaemon.control.ui import branches


def control_site(
    config: Config,
    source: str | None,
    *,
    keyring: Keyring,
    runner: Runner,
    host: Host,
    push_places: Callable[[], PushPlaces],
) -> ControlSite:
    """
    What answers at the ports of the section ``control``.

    :param push_places: those that hold when somebody asks.
    :param source: the file that *config* was read from.
    """
    settings = Settings(
        keyring=keyring,
        allowed_hosts=config.control.allowed_hosts,
        allowed_origins=config.control.allowed_origins,
        notify_strangers=config.control.notify_strangers,
        download_directory=str(config.downloads.directory),
        default_segments=config.downloads.segments,
        push_places=push_places,
        config_path=source,
    )
    return build_control_site(runner, settings, host, branches())


def registry_of(*collectors: Collector) -> CollectorRegistry:
    """A registry of our own for the metrics of *collectors*; nothing global is touched."""
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    return registry
