"""
systemd's part, where none is booted: as much of ``systemctl`` as the documents use.

Reads the unit and its drop-ins, has `systemd-analyze` judge them, and runs what they say as
systemd would: as its user, with directories, credentials, and a socket for notifications.
Who starts a unit stays behind as its manager until that ends.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

UNITS = Path("/etc/systemd/system")
RUN = Path(os.environ.get("SYSTEMCTL_RUN", "/run/systemctl"))
PATIENCE = 240.0


def settings(name: str) -> dict[str, list[str]]:
    """What the unit and its drop-ins say; an empty value forgets those before it."""
    found: dict[str, list[str]] = defaultdict(list)
    unit = UNITS / f"{name}.service"
    for file in (unit, *sorted((UNITS / f"{unit.name}.d").glob("*.conf"))):
        for line in file.read_text().splitlines():
            key, equals, value = line.strip().partition("=")
            if equals and line[0] not in "#;":
                found[key] = [*found[key], value] if value else []
    return found


def daemon_reload() -> None:
    """Whatever systemd would say of our units is a mistake, but for what 252 cannot know."""
    for unit in UNITS.glob("rangedaemon.*e*t*"):
        judged = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(unit)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        ours = [
            line
            for line in judged.stderr.splitlines()
            if "rangedaemon" in line and "notify-reload" not in line
        ]
        if ours or judged.returncode:
            sys.exit(f"systemd-analyze verify: {judged.stderr}")


def start(name: str) -> None:
    """Start it, and stay as its manager."""
    RUN.mkdir(exist_ok=True, parents=True)
    if os.fork():
        wait_for(name, lambda state: state.get("ready", 0) > 0)
        return
    with (RUN / f"{name}.log").open("wb") as log:
        for descriptor in (1, 2):
            os.dup2(log.fileno(), descriptor)
    manage(name)
    os._exit(0)


def manage(name: str) -> None:
    """The life of a unit."""
    unit = settings(name)
    state: dict[str, Any] = {"ready": 0}
    inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    place = RUN / f"{name}.notify"
    place.unlink(missing_ok=True)
    inbox.bind(str(place))
    place.chmod(0o666)
    user = unit["User"][-1]
    environ = {**directories(unit, user), "NOTIFY_SOCKET": str(place), "PATH": os.environ["PATH"]}
    as_user: dict[str, Any] = {
        "env": environ, "user": user, "group": user, "extra_groups": [], "cwd": "/",
        "umask": int(unit["UMask"][-1], 8), "stdin": subprocess.DEVNULL,
    }  # fmt: skip
    for before in unit["ExecStartPre"]:
        subprocess.run(shlex.split(before), check=True, **as_user)
    daemon = subprocess.Popen(shlex.split(unit["ExecStart"][-1]), **as_user)
    state["pid"] = daemon.pid
    inbox.settimeout(0.1)
    while daemon.poll() is None:
        try:
            hear(inbox.recv(8192).decode(), state)
        except TimeoutError:
            continue
        note(name, state)
    note(name, {**state, "ended": daemon.returncode})


def directories(unit: dict[str, list[str]], user: str) -> dict[str, str]:
    """``StateDirectory=`` and ``LoadCredential=``."""
    there = {}
    for directory in unit["StateDirectory"]:
        path = Path("/var/lib") / directory
        subprocess.run(["install", "-d", "-o", user, "-m", "700", str(path)], check=True)
        there["STATE_DIRECTORY"] = str(path)
    for credential in unit["LoadCredential"]:
        name, _, source = credential.partition(":")
        file = Path("/etc/credstore") / source
        if file.exists():
            place = RUN / "credentials"
            subprocess.run(["install", "-d", "-o", user, "-m", "700", str(place)], check=True)
            command = ["install", "-o", user, "-m", "400", str(file), str(place / name)]
            subprocess.run(command, check=True)
            there["CREDENTIALS_DIRECTORY"] = str(place)
    return there


def hear(message: str, state: dict[str, Any]) -> None:
    """One notification."""
    for line in message.splitlines():
        key, _, value = line.partition("=")
        if key == "READY":
            state["ready"] = state["ready"] + 1
        elif key == "STATUS":
            state["status"] = value


def note(name: str, state: dict[str, Any]) -> None:
    """Let the others know."""
    new = RUN / f"{name}.new"
    new.write_text(json.dumps(state))
    new.replace(RUN / f"{name}.json")


def wait_for(name: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What the manager notes, once it is as wanted."""
    ends = time.monotonic() + PATIENCE
    file = RUN / f"{name}.json"
    while time.monotonic() < ends:
        state = json.loads(file.read_text()) if file.exists() else {}
        if condition(state):
            return state
        if "ended" in state:
            break
        time.sleep(0.05)
    sys.exit(f"{name}: {(RUN / f'{name}.log').read_text()}")


def main(arguments: list[str]) -> None:
    """``systemctl`` with these."""
    verb, *names = [argument for argument in arguments if not argument.startswith("-")]
    if verb == "daemon-reload":
        daemon_reload()
        return
    (name,) = names
    if verb == "enable":
        start(name)
        return
    state = wait_for(name, lambda state: "status" in state)
    if verb == "status":
        sys.stdout.write(f"   Active: active (running)\n   Status: {state['status']!r}\n")
    elif verb == "reload":
        os.kill(state["pid"], signal.SIGHUP)
        wait_for(name, lambda now: now["ready"] > state["ready"])
    elif verb == "stop":
        os.kill(state["pid"], signal.SIGTERM)
        if wait_for(name, lambda now: "ended" in now)["ended"] != 0:
            sys.exit(f"{name} did not end well")
    else:
        sys.exit(f"no such verb here: {verb}")


if __name__ == "__main__":
    main(sys.argv[1:])
