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
table { width: 100%; table-layout: fixed; border-collapse: collapse }
td { font-variant-numeric: tabular-nums }
th { text-align: left; font-weight: 500; color: var(--dim); font-size: .85rem }
th, td { padding: .35rem .5rem; border-bottom: 1px solid var(--line) }
tbody tr:hover { background: #8881 }
th.size { width: 6rem } th.when { width: 9.5rem }
.size, .when { text-align: right; white-space: nowrap; color: var(--dim) }
.name { overflow-wrap: anywhere }
a { color: var(--link); text-decoration: none } a:hover { text-decoration: underline }
p { color: var(--dim) }
@media (max-width: 35rem) { .when { display: none } }
""".strip()

_STYLE_HASH = b64encode(sha256(f"\n{_STYLE}\n".encode()).digest()).decode()

_UPWARD = (
    '<tr><td class="name"><a href="../">../</a></td>'
    '<td class="size"></td><td class="when"></td></tr>'
)

CONTENT_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'"
"""Nothing but the page's own style (Content Security Policy Level 3)."""


def render(
    kind: str, prefix: Sequence[str], segments: Sequence[str], entries: Sequence[Entry]
) -> bytes:
    """
    The listing of a directory.

    :param kind: `HTML` or `JSON`.
    :param prefix: the segments of the mount's address; nothing above it is listed.
    :param segments: those from there to the directory.
    """
    ordered = sorted(entries, key=lambda e: (not e.is_dir, e.name.casefold(), e.name))
    if kind == JSON:
        return _json((*prefix, *segments), ordered)
    return _html(prefix, segments, ordered)


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


def _html(prefix: Sequence[str], segments: Sequence[str], entries: Sequence[Entry]) -> bytes:
    title = escape(_text((*prefix, *segments)))
    rows = [_UPWARD] if segments else []
    rows += [_row(entry) for entry in entries]
    body = "\n".join(rows)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n"
        f"<h1>{_trail(prefix, segments)}</h1>\n<table>\n"
        '<thead><tr><th>Name</th><th class="size">Size</th>'
        '<th class="when">Modified (UTC)</th></tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>\n<p>{_sum(entries)}</p>\n</body>\n</html>\n"
    ).encode()


def _text(path: Sequence[str]) -> str:
    return _shown("".join(f"/{segment}" for segment in path) + "/")


def _trail(prefix: Sequence[str], segments: Sequence[str]) -> str:
    """The address, with links to the directories above."""
    steps = [_text(prefix), *(f"{_shown(segment)}/" for segment in segments)]
    linked = [
        f'<a href="{"../" * (len(segments) - depth)}">{escape(step)}</a>'
        for depth, step in enumerate(steps[:-1])
    ]
    return "".join([*linked, escape(steps[-1])])


def _sum(entries: Sequence[Entry]) -> str:
    """How much there is."""
    files = [entry.size for entry in entries if not entry.is_dir]
    folders = len(entries) - len(files)
    counts = [_counted(folders, "folder"), _counted(len(files), "file")]
    told = ", ".join(count for count in counts if count)
    return f"{told}, {_human(sum(files))}" if files else told or "Nothing here."


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}" if number else ""


def _row(entry: Entry) -> str:
    name = escape(_shown(entry.name)) + ("/" if entry.is_dir else "")
    size = "" if entry.is_dir else _human(entry.size)
    exactly = f' title="{entry.size:,} bytes"' if not entry.is_dir and entry.size >= 1024 else ""
    return (
        f'<tr><td class="name"><a href="{escape(_href(entry))}">{name}</a></td>'
        f'<td class="size"{exactly}>{size}</td>'
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
