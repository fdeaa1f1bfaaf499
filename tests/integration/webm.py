"""A video of any length and weight: WebM (Matroska, RFC 9559) with one picture a second."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from itertools import accumulate

KEYFRAME = base64.b64decode(
    "EAMAnQEqIAAgAD7RYqpPqCWjoigIAQAaCWUAxkAWpxQAAP7q1GE3Vp/oV8mfdcZrzECAAA=="
)
"""A VP8 key frame (RFC 6386) of 32 by 32 pixels in one colour."""

_EBML, _SEGMENT, _INFO, _TRACKS = 0x1A45DFA3, 0x18538067, 0x1549A966, 0x1654AE6B
_CUES, _CLUSTER, _VOID = 0x1C53BB6B, 0x1F43B675, 0xEC


def _element(name: int, content: bytes) -> bytes:
    identifier = name.to_bytes((name.bit_length() + 7) // 8, "big")
    return identifier + (len(content) | 1 << 56).to_bytes(8, "big") + content


def _number(name: int, value: int) -> bytes:
    return _element(name, value.to_bytes(8, "big"))


def _head(seconds: int) -> bytes:
    info = _number(0x2AD7B1, 1_000_000) + _element(0x4489, struct.pack(">d", seconds * 1000.0))
    names = _element(0x4D80, b"test") + _element(0x5741, b"test")
    picture = _element(0xE0, _number(0xB0, 32) + _number(0xBA, 32))
    track = _number(0xD7, 1) + _number(0x73C5, 1) + _number(0x83, 1) + _element(0x86, b"V_VP8")
    return _element(_INFO, info + names) + _element(_TRACKS, _element(0xAE, track + picture))


def _cues(places: Sequence[int]) -> bytes:
    points = (
        _number(0xB3, second * 1000) + _element(0xB7, _number(0xF7, 1) + _number(0xF1, place))
        for second, place in enumerate(places)
    )
    return _element(_CUES, b"".join(_element(0xBB, point) for point in points))


def _cluster(second: int) -> bytes:
    block = _element(0xA3, b"\x81\x00\x00\x80" + KEYFRAME)
    return _element(_CLUSTER, _number(0xE7, second * 1000) + block)


def webm(seconds: int, padding: Mapping[int, int]) -> bytes:
    """A video of *seconds*; *padding* has octets of nothing to follow the pictures of a second."""
    voids = (_element(_VOID, bytes(padding.get(second, 0))) for second in range(seconds))
    pieces = [_cluster(second) + void for second, void in enumerate(voids)]
    head = _head(seconds)
    first = len(head) + len(_cues([0] * seconds))
    places = list(accumulate(map(len, pieces), initial=first))[:-1]
    body = b"".join([head, _cues(places), *pieces])
    doctype = _element(0x4282, b"webm") + _number(0x4287, 2) + _number(0x4285, 2)
    versions = _number(0x4286, 1) + _number(0x42F7, 1) + _number(0x42F2, 4) + _number(0x42F3, 8)
    return _element(_EBML, versions + doctype) + _element(_SEGMENT, body)
