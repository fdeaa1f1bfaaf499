"""Configuration from text, as tests want it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rangedaemon.config import Config, ConfigError, parse

CONF = Path(__file__).resolve().parents[1] / "conf"

BASE = Path("/etc/rd")


def config_of(text: str | bytes, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration that *text* describes."""
    data = text.encode() if isinstance(text, str) else text
    return parse(data, environ or {}, name="c.yaml", base=BASE)


def problems_of(text: str | bytes, environ: Mapping[str, str] | None = None) -> list[str]:
    """Every message about *text*."""
    try:
        config_of(text, environ)
    except ConfigError as error:
        return str(error).split("\n")
    return []
