"""Texts that are nearly right: samples of a grammar, cut, doubled, spliced and soiled."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

SOIL = "\x00\t\r\n \"'\\,;=:/*%<>&?#[]{}()-+.0aZ\x7f\x80\xff"
"""Characters that some grammar gives a meaning."""
MOST = 2000


def mutants(samples: Sequence[str]) -> st.SearchStrategy[str]:
    """Texts of latin-1 near the *samples*, and some that are near nothing."""
    sample = st.sampled_from(list(samples))
    wild = st.text(st.characters(max_codepoint=255), max_size=60)
    soiled = st.builds(_put, sample, st.integers(0, 200), st.text(SOIL, min_size=1, max_size=4))
    cut = st.builds(_cut, sample, st.integers(0, 200), st.integers(0, 200))
    joined = st.lists(st.one_of(sample, cut, soiled), min_size=1, max_size=5).flatmap(_joined)
    grown = st.builds(lambda text, times: (text * times)[:MOST], sample, st.integers(1, 300))
    return st.one_of(wild, soiled, cut, joined, grown)


def as_octets(texts: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """The same as octets, and octets that are no text at all."""
    return st.one_of(texts.map(lambda text: text.encode("latin-1", "replace")), st.binary())


def _put(text: str, at: int, dirt: str) -> str:
    at %= len(text) + 1
    return text[:at] + dirt + text[at:]


def _cut(text: str, start: int, stop: int) -> str:
    start, stop = sorted((start % (len(text) + 1), stop % (len(text) + 1)))
    return text[:start] + text[stop:]


def _joined(parts: list[str]) -> st.SearchStrategy[str]:
    return st.sampled_from([",", ", ", ";", "", " ", "\r\n"]).map(lambda glue: glue.join(parts))
