"""From the configured hooks to those that are called."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from twisted.web.client import Agent

from rangedaemon.client.hooks.calls import Hook, Hooks
from rangedaemon.client.hooks.command import command
from rangedaemon.client.hooks.shelf import FileShelf
from rangedaemon.client.hooks.webhook import Means, Receiver, webhook
from rangedaemon.client.runner import Runner
from rangedaemon.config import Config
from rangedaemon.config.hooks import Hook as Wish
from rangedaemon.config.secrets import read_secret
from rangedaemon.control.answers import json_octets
from rangedaemon.control.views import job_object
from rangedaemon.core.jobs import JobSnapshot
from rangedaemon.core.retry import RetryPolicy
from rangedaemon.service.ports import StartFailed
from rangedaemon.storage.threads import InThread

SHELF_FILE = "hooks.left"
"""In the state directory: calls for the next start."""
FIRST_DELAY, LONGEST_DELAY = 1.0, 300.0
"""Seconds between tries of a webhook."""


def hooking(config: Config, reactor: Any, runner: Runner, in_thread: InThread) -> Hooks:
    """
    A service that calls what *config* names for the jobs of *runner*.

    :raises StartFailed: a secret cannot be read any more.
    """
    shelf = FileShelf(config.state_dir / SHELF_FILE, in_thread)
    hooks = Hooks(hooks_of(config.hooks, reactor), _described, reactor, time.time, shelf)
    runner.subscribe(hooks)
    return hooks


def hooks_of(wishes: Sequence[Wish], reactor: Any) -> list[Hook]:
    """
    Whom *wishes* name; blocking.

    :raises StartFailed: a secret cannot be read any more.
    """
    return [_hook(wish, reactor) for wish in wishes]


def _described(snapshot: JobSnapshot) -> tuple[Mapping[str, Any], str]:
    octets = json_octets(job_object(snapshot))
    return json.loads(octets), octets.decode()


def _hook(wish: Wish, reactor: Any) -> Hook:
    if wish.command is not None:
        act: Any = command(reactor, wish.command, wish.timeout, os.environ)
    else:
        act = webhook(_receiver(wish), _means(reactor, wish.timeout))
    return Hook(wish.name, frozenset(wish.on), act)


def _receiver(wish: Wish) -> Receiver:
    try:
        secret = read_secret(wish.secret_file).encode() if wish.secret_file else None
    except ValueError as wrong:
        raise StartFailed(f"hooks: {wrong}") from wrong
    retry = RetryPolicy(wish.attempts, FIRST_DELAY, LONGEST_DELAY)
    return Receiver(wish.webhook or "", secret, wish.timeout, retry)


def _means(reactor: Any, timeout: float) -> Means:
    return Means(
        agent=Agent(reactor, connectTimeout=timeout),
        clock=reactor,
        random=Random(),  # noqa: S311 - jitter, no secret
        new_id=lambda: secrets.token_hex(8),
    )
