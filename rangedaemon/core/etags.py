"""
Entity tags: form, comparison, and the lists of ``If-Match`` and ``If-None-Match``.

RFC 9110, sections 8.8.3, 13.1.1 and 13.1.2.  Values are latin-1 decoded `str`.
Inside the quotes there is no escaping, a comma is an ordinary character, and
blanks and control characters do not occur; so lists are parsed by their quotes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rangedaemon.core.grammar import OWS

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_COMMA = re.compile(r"[ \t]*(?:,[ \t]*)+")


@dataclass(frozen=True, slots=True)
class EntityTag:
    """An entity tag; only two *strong* ones prove that octets are the same (8.8.3.2)."""

    opaque: str
    weak: bool = False

    def __str__(self) -> str:
        return f'W/"{self.opaque}"' if self.weak else f'"{self.opaque}"'

    def strong_equal(self, other: EntityTag) -> bool:
        """Both strong, and alike: the same octets."""
        return not self.weak and not other.weak and self.opaque == other.opaque

    def weak_equal(self, other: EntityTag) -> bool:
        """Alike, whatever their strength: the same meaning."""
        return self.opaque == other.opaque


@dataclass(frozen=True, slots=True)
class TagList:
    """The value of ``If-Match`` or ``If-None-Match``: some tags, or ``*`` for any at all."""

    tags: tuple[EntityTag, ...] = ()
    anything: bool = False

    def has_strong(self, tag: EntityTag | None) -> bool:
        """Whether a representation with *tag* is meant, by the strong comparison (If-Match)."""
        return self.anything or (tag is not None and any(tag.strong_equal(t) for t in self.tags))

    def has_weak(self, tag: EntityTag | None) -> bool:
        """Whether a representation with *tag* is meant, by the weak one (If-None-Match)."""
        return self.anything or (tag is not None and any(tag.weak_equal(t) for t in self.tags))


def parse_entity_tag(text: str) -> EntityTag | None:
    """The tag that *text* is, blanks around it allowed; None for anything else."""
    match = _TAG.fullmatch(text.strip(OWS))
    return EntityTag(match[2], weak=match[1] is not None) if match else None


def parse_tag_list(text: str) -> TagList | None:
    """A list of tags or ``*``; None where it is neither (a ``*`` among tags included)."""
    text = text.strip(OWS)
    if text == "*":
        return TagList(anything=True)
    tags: list[EntityTag] = []
    at = _skip_commas(text, 0)
    while at < len(text):
        match = _TAG.match(text, at)
        if match is None:
            return None
        tags.append(EntityTag(match[2], weak=match[1] is not None))
        at = _skip_commas(text, match.end())
        if at == match.end() and at < len(text):
            return None
    return TagList(tuple(tags))


def _skip_commas(text: str, at: int) -> int:
    match = _COMMA.match(text, at)
    return match.end() if match else at
