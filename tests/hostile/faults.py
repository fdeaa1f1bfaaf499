"""
What can be wrong with an answer: each fault turns an answer into a worse one.

``compose`` puts scene, answer and faults together for one request.
"""

from __future__ import annotations

import gzip
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

from tests.hostile.answers import Answer, right_answer
from tests.hostile.asks import Ask, Wish, octets, wishes
from tests.hostile.instead import INSTEAD, Passes, refused
from tests.hostile.scenes import SCENE_FAULTS, Scene, scene_of

AnswerFault = Callable[[Answer, str, Scene], Answer]


def compose(ask: Ask, seed: int | None, passes: Passes) -> Answer:
    """The answer to one request, with all the faults that its address asks for.

    :raises ValueError, KeyError: a word that is no fault, or an argument that is none.
    """
    wanted = [wish for wish in wishes(ask.path) if wish.holds(ask)]
    scene = scene_of(ask, seed)
    for wish in wanted:
        if wish.word in SCENE_FAULTS:
            scene = SCENE_FAULTS[wish.word](scene, wish.argument, ask)
    answer = _instead(wanted, ask, passes) or right_answer(scene, ask)
    for wish in wanted:
        answer = _worse(answer, wish, scene)
    return answer


def _instead(wanted: list[Wish], ask: Ask, passes: Passes) -> Answer | None:
    """The first answer that comes instead of the file."""
    for wish in wanted:
        if wish.word in INSTEAD:
            answer = INSTEAD[wish.word](wish.argument, ask, passes)
            if answer is not None:
                return answer
    return None


def _worse(answer: Answer, wish: Wish, scene: Scene) -> Answer:
    if wish.word in ANSWER_FAULTS:
        return ANSWER_FAULTS[wish.word](answer, wish.argument, scene)
    if wish.word in PARTIAL_FAULTS:
        fault = PARTIAL_FAULTS[wish.word]
        return fault(answer, wish.argument, scene) if answer.status == 206 else answer
    if wish.word not in SCENE_FAULTS and wish.word not in INSTEAD:
        raise KeyError(f"no such fault: {wish.word!r}")
    return answer


def _span(answer: Answer, start: int, stop: int, total: object) -> Answer:
    """The answer with other octets and a Content-Range that says so."""
    moved = replace(answer, start=start, stop=stop)
    return moved.with_field("Content-Range", f"bytes {start}-{stop - 1}/{total}")


def _shift(answer: Answer, argument: str, scene: Scene) -> Answer:
    by = octets(argument)
    return _span(answer, answer.start + by, answer.stop + by, scene.size)


def _longer(answer: Answer, argument: str, scene: Scene) -> Answer:
    return _span(answer, answer.start, min(scene.size, answer.stop + octets(argument)), scene.size)


def _shorter(answer: Answer, argument: str, scene: Scene) -> Answer:
    stop = max(answer.start + 1, answer.stop - octets(argument))
    return _span(answer, answer.start, stop, scene.size)


def _at_most(answer: Answer, argument: str, scene: Scene) -> Answer:
    stop = min(answer.stop, answer.start + octets(argument))
    return _span(answer, answer.start, stop, scene.size)


def _total(answer: Answer, argument: str, scene: Scene) -> Answer:
    return _span(answer, answer.start, answer.stop, argument)


def _multipart(answer: Answer, argument: str, scene: Scene) -> Answer:
    part = (
        "\r\n--THIS\r\nContent-Type: application/octet-stream\r\n"
        f"Content-Range: {answer.get('Content-Range')}\r\n\r\n"
    )
    body = part.encode() + answer.read(0, answer.length) + b"\r\n--THIS--\r\n"
    framed = answer.with_field("Content-Range", None)
    return replace(
        framed.with_field("Content-Type", "multipart/byteranges; boundary=THIS"), body=body
    )


def _gzip(answer: Answer, argument: str, scene: Scene) -> Answer:
    coded = replace(answer, body=gzip.compress(answer.read(0, answer.length), 1))
    return coded.with_field("Content-Encoding", "gzip")


def _overrun(answer: Answer, argument: str, scene: Scene) -> Answer:
    """More octets than Content-Length and Content-Range promise."""
    body = answer.read(0, answer.length) + b"?" * octets(argument)
    return replace(answer, body=body, declared=answer.length, close=True)


def _part_digest(answer: Answer, argument: str, scene: Scene) -> Answer:
    """The digest of just these octets, before any fault that stands behind this one."""
    value = b64encode(sha256(answer.read(0, answer.length)).digest()).decode()
    return answer.with_field("Content-Digest", f"sha-256=:{value}:")


def _gate(answer: Answer, argument: str, scene: Scene) -> Answer:
    name, _, budget = argument.partition(":")
    return replace(answer, gate=(name, octets(budget)))


PARTIAL_FAULTS: dict[str, AnswerFault] = {
    "shift": _shift,
    "lie": lambda answer, argument, scene: replace(
        answer, start=answer.start + octets(argument), stop=answer.stop + octets(argument)
    ),
    "longer": _longer,
    "shorter": _shorter,
    "atmost": _at_most,
    "total": _total,
    "nocr": lambda answer, argument, scene: answer.with_field("Content-Range", None),
    "cr": lambda answer, argument, scene: answer.with_field("Content-Range", argument),
    "multipart": _multipart,
    "partdigest": _part_digest,
    "strip206": lambda answer, argument, scene: answer.with_field(argument, None),
}
"""Only on a 206: ``shift`` is labelled honestly, ``lie`` keeps the label that was asked for."""

ANSWER_FAULTS: dict[str, AnswerFault] = {
    "gzip": _gzip,
    "strip": lambda answer, argument, scene: answer.with_field(argument, None),
    "accept": lambda answer, argument, scene: answer.with_field("Accept-Ranges", argument),
    "chunked": lambda answer, argument, scene: replace(answer, framing="chunked"),
    "closed": lambda answer, argument, scene: replace(answer, framing="close", close=True),
    "http10": lambda answer, argument, scene: replace(answer, http10=True, close=True),
    "nokeep": lambda answer, argument, scene: replace(answer, close=True),
    "declare": lambda answer, argument, scene: replace(
        answer, declared=octets(argument), close=True
    ),
    "overrun": _overrun,
    "cut": lambda answer, argument, scene: replace(answer, cut=octets(argument), close=True),
    "reset": lambda answer, argument, scene: replace(
        answer, cut=octets(argument), reset=True, close=True
    ),
    "stall": lambda answer, argument, scene: replace(answer, stall=octets(argument)),
    "rate": lambda answer, argument, scene: replace(answer, rate=octets(argument)),
    "gate": _gate,
    "flip": lambda answer, argument, scene: replace(answer, flip=octets(argument)),
    "retry": lambda answer, argument, scene: refused(answer, argument),
}
"""
``gate=NAME:N`` holds all of a path's answers once N octets of it went out, until
the test opens that gate; ``stall=N`` is silent for ever after N octets; ``rate=N``
is octets per second and connection.
"""
