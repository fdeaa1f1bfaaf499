"""
Links in answers: where else the same file is, and what describes it (RFC 8288, RFC 6249).

A peer may send any number of them; what is read is bounded.  Links with an anchor
are about something else (RFC 8288, 3.2), and only the first ``rel`` counts (3.3).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urldefrag, urljoin, urlsplit

from rangedaemon.core.acceptance import Answer
from rangedaemon.core.grammar import OWS, QUOTED_STRING, TOKEN, parse_digits, unquote
from rangedaemon.core.promises import is_active, promised_whole

MOST_LINKS = 64
MOST_TEXT = 32 * 1024
MOST_TARGET = 2048
METALINK_TYPE = "application/metalink4+xml"
LEAST_PRIORITY = 999_999
"""The priority of a link that names none (RFC 6249, 3.1)."""

_TARGET = re.compile(r"[ \t,]*<([^<>]*)>[ \t]*")
_PARAMETER = re.compile(
    rf";[ \t]*(?:({TOKEN})[ \t]*(?:=[ \t]*({QUOTED_STRING}|[^\s\",;]*))?)?[ \t]*"
)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\U0010ffff\"<>\\^`{|}]")


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a ``Link`` field."""

    target: str
    """An absolute http or https address without fragment."""
    relations: frozenset[str]
    """In lower case."""
    parameters: dict[str, str]
    """The first of each name, in lower case."""

    @property
    def priority(self) -> int:
        """Its ``pri``, the lower the better."""
        number = parse_digits(self.parameters.get("pri", ""))
        return number if number and number < LEAST_PRIORITY else LEAST_PRIORITY


def parse_links(text: str | None, base: str) -> list[Link]:
    """The links of a ``Link`` field whose targets can be fetched.

    :param base: the address that answered; targets are resolved against it.
    :returns: the first `MOST_LINKS`, up to where the field is broken.
    """
    links: list[Link] = []
    text = (text or "")[:MOST_TEXT]
    at = 0
    while (match := _TARGET.match(text, at)) and len(links) < MOST_LINKS:
        parameters, at = _parameters(text, match.end())
        target = fetchable(match[1], base)
        relations = frozenset(parameters.get("rel", "").lower().split())
        if target is not None and relations and "anchor" not in parameters:
            links.append(Link(target, relations, parameters))
        if at < len(text) and text[at] != ",":
            break
    return links


def _parameters(text: str, at: int) -> tuple[dict[str, str], int]:
    found: dict[str, str] = {}
    while match := _PARAMETER.match(text, at):
        at = match.end()
        if match[1] is not None:
            found.setdefault(match[1].lower(), unquote((match[2] or "").strip(OWS)))
    return found, at


def fetchable(target: str, base: str) -> str | None:
    """*target*, resolved against *base*, where it is an address that we would ask."""
    try:
        url = urldefrag(urljoin(base, target.strip())).url
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return url if sound and len(url) <= MOST_TARGET and not _FORBIDDEN.search(url) else None


def descriptions_of(answer: Answer) -> list[str]:
    """Where metalinks that describe the file of *answer* are, the best first (RFC 6249, 4.1)."""
    links = [
        link
        for link in parse_links(answer.links, answer.url)
        if "describedby" in link.relations
        and link.parameters.get("type", "").partition(";")[0].strip().lower() == METALINK_TYPE
    ]
    links.sort(key=lambda link: link.priority)
    return list(dict.fromkeys(link.target for link in links if link.target != answer.url))


def duplicates_of(answer: Answer) -> list[str]:
    """Where else the file of *answer* is, the best first (RFC 6249, 3).

    Empty without an active digest of the whole file: such links MUST be ignored (6).
    """
    if not is_active(promised_whole(answer)):
        return []
    links = [x for x in parse_links(answer.links, answer.url) if "duplicate" in x.relations]
    links.sort(key=lambda link: (link.priority, "pref" not in link.parameters))
    return list(dict.fromkeys(link.target for link in links if link.target != answer.url))
