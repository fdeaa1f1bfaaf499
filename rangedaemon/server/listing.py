"""
Directories for people and programs: an HTML page, or JSON by ``Accept``.

Pure: entries in, octets out.  The page needs no script and nothing from elsewhere.
"""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape

from rangedaemon.server.mounts import encode_segments
from rangedaemon.storage.tree import Entry

HTML = "text/html"
JSON = "application/json"

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")

_STYLE = """
:root { color-scheme: light dark; --line: #8883; --dim: #777; --link: #0b57d0; }
@media (prefers-color-scheme: dark) { :root { --dim: #999; --link: #8ab4f8; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.25rem; font-weight: 600; overflow-wrap: anywhere }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums }
th { text-align: left; font-weight: 500; color: var(--dim); font-size: .85rem }
th, td { padding: .35rem .5rem; border-bottom: 1px solid var(--line) }
tbody tr:hover { background: #8881 }
.size, .when { text-align: right; white-space: nowrap; color: var(--dim) }
.name { overflow-wrap: anywhere }
a { color: var(--link); text-decoration: none } a:hover { text-decoration: underline }
p { color: var(--dim) }
@media (max-width: 35rem) { .when { display: none } }
""".strip()

_STYLE_HASH = b64encode(sha256(f"\n{_STYLE}\n".encode()).digest()).decode()

CONTENT_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'"
"""Nothing but the page's own style (Content Security Policy Level 3)."""


def render(kind: str, path: Sequence[str], entries: Sequence[Entry], *, top: bool) -> bytes:
    """
    The listing of a directory.

    :param kind: `HTML` or `JSON`.
    :param path: the segments of its address, the mount's prefix included.
    :param top: whether it is the mount's root, above which nothing is listed.
    """
    ordered = sorted(entries, key=lambda e: (not e.is_dir, e.name.casefold(), e.name))
    if kind == JSON:
        return _json(path, ordered)
    return _html(path, ordered, top=top)


def _json(path: Sequence[str], entries: Sequence[Entry]) -> bytes:
    listed = [
        {
            "name": _shown(entry.name),
            "type": "directory" if entry.is_dir else "file",
            "size": None if entry.is_dir else entry.size,
            "modified": _moment(entry, "%Y-%m-%dT%H:%M:%SZ"),
            "href": _href(entry),
        }
        for entry in entries
    ]
    whole = {"path": f"{encode_segments(path)}/", "entries": listed}
    return json.dumps(whole, ensure_ascii=False, indent=1).encode() + b"\n"


def _html(path: Sequence[str], entries: Sequence[Entry], *, top: bool) -> bytes:
    title = escape(_shown("".join(f"/{segment}" for segment in path) + "/"))
    rows = [] if top else ['<tr><td class="name"><a href="../">../</a></td><td></td><td></td></tr>']
    rows += [_row(entry) for entry in entries]
    body = "\n".join(rows)
    empty = "" if entries else "<p>Nothing here.</p>\n"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n"
        f"<h1>{title}</h1>\n<table>\n"
        '<thead><tr><th>Name</th><th class="size">Size</th>'
        '<th class="when">Modified (UTC)</th></tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>\n{empty}</body>\n</html>\n"
    ).encode()


def _row(entry: Entry) -> str:
    name = escape(_shown(entry.name)) + ("/" if entry.is_dir else "")
    size = "" if entry.is_dir else f'<span title="{entry.size} bytes">{_human(entry.size)}</span>'
    return (
        f'<tr><td class="name"><a href="{escape(_href(entry))}">{name}</a></td>'
        f'<td class="size">{size}</td>'
        f'<td class="when">{_moment(entry, "%Y-%m-%d %H:%M")}</td></tr>'
    )


def _href(entry: Entry) -> str:
    # "./" keeps a colon in the first segment from being read as a scheme (RFC 3986, 4.2).
    return f".{encode_segments([entry.name])}" + ("/" if entry.is_dir else "")


def _shown(name: str) -> str:
    """A name as text: octets that are no UTF-8 become replacement characters."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _moment(entry: Entry, form: str) -> str:
    return time.strftime(form, time.gmtime(entry.mtime_ns // 1_000_000_000))


def _human(size: int) -> str:
    if size < 1024:
        return f"{size} B"
    scale = min((size.bit_length() - 1) // 10, len(_UNITS) - 1)
    return f"{size / 1024**scale:.1f} {_UNITS[scale]}"
