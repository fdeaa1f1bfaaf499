"""Answers that come instead of the file: statuses, redirects, silence, noise."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from time import time

from tests.hostile.answers import Answer, text
from tests.hostile.asks import Ask


@dataclass
class Passes:
    """Signed addresses given out, and how many uses each has left."""

    left: dict[str, int] = field(default_factory=dict)

    def issue(self, uses: int) -> str:
        """A new pass that is good for *uses* requests."""
        name = f"p{len(self.left) + 1}"
        self.left[name] = uses
        return name

    def use(self, name: str) -> bool:
        """Whether the pass is still good; uses it up by one."""
        self.left[name] = self.left.get(name, 0) - 1
        return self.left[name] >= 0


def _after(ask: Ask, word: str) -> str:
    """The target without its faults up to and with *word*."""
    _, _, rest = ask.target.partition(f"/{word}")
    return "/" + rest.partition("/")[2]


def _redirect(status: int, location: str) -> Answer:
    return text(status, "elsewhere").with_field("Location", location)


def _status(argument: str, ask: Ask, passes: Passes) -> Answer:
    return text(int(argument), "as asked")


def _hop(argument: str, ask: Ask, passes: Passes) -> Answer:
    """To an absolute path; the argument is the status."""
    return _redirect(int(argument or 302), _after(ask, "hop"))


def _relative(argument: str, ask: Ask, passes: Passes) -> Answer:
    """By a path relative to the present address."""
    target = _after(ask, "hoprel")
    return _redirect(int(argument or 302), posixpath.relpath(target, posixpath.dirname(ask.path)))


def _other_host(argument: str, ask: Ask, passes: Passes) -> Answer:
    """To the same port by another name, so that it is another origin."""
    _, _, port = ask.fields.get("host", "").partition(":")
    return _redirect(302, f"http://localhost:{port}{_after(ask, 'hophost')}")


def _scheme(argument: str, ask: Ask, passes: Passes) -> Answer:
    return _redirect(302, f"{argument}://{ask.fields.get('host', '')}{_after(ask, 'hopscheme')}")


def _loop(argument: str, ask: Ask, passes: Passes) -> Answer:
    return _redirect(302, ask.target)


def _endless(argument: str, ask: Ask, passes: Passes) -> Answer:
    """A chain that never repeats an address and never ends."""
    return _redirect(302, f"{ask.path}?hop={int(ask.query.get('hop', '0')) + 1}")


def _nowhere(argument: str, ask: Ask, passes: Passes) -> Answer:
    return text(302, "to nowhere")


def _sign(argument: str, ask: Ask, passes: Passes) -> Answer:
    """To a signed address that is good for so many requests."""
    return _redirect(302, f"/pass={passes.issue(int(argument))}{_after(ask, 'sign')}")


def _pass(argument: str, ask: Ask, passes: Passes) -> Answer | None:
    return None if passes.use(argument) else text(403, "signature expired")


def _auth(argument: str, ask: Ask, passes: Passes) -> Answer | None:
    """401 unless Authorization is exactly the argument."""
    if ask.fields.get("authorization") == argument:
        return None
    return text(401, "who is there?").with_field("WWW-Authenticate", 'Basic realm="hostile"')


def _nohead(argument: str, ask: Ask, passes: Passes) -> Answer | None:
    return text(405, "no HEAD here") if ask.method == "HEAD" else None


def _unsatisfiable(argument: str, ask: Ask, passes: Passes) -> Answer | None:
    """416 to every range, with that Content-Range; empty for none."""
    if "range" not in ask.fields:
        return None
    answer = text(416, "no")
    return answer.with_field("Content-Range", f"bytes */{argument}") if argument else answer


def _raw(argument: str, ask: Ask, passes: Passes) -> Answer:
    return Answer(0, raw=argument.encode("latin-1"), close=True)


Instead = Callable[[str, Ask, Passes], Answer | None]

INSTEAD: dict[str, Instead] = {
    "status": _status,
    "hop": _hop,
    "hoprel": _relative,
    "hophost": _other_host,
    "hopscheme": _scheme,
    "loop": _loop,
    "endless": _endless,
    "nowhere": _nowhere,
    "sign": _sign,
    "pass": _pass,
    "auth": _auth,
    "nohead": _nohead,
    "unsat": _unsatisfiable,
    "raw": _raw,
    "silent": lambda argument, ask, passes: Answer(0, raw=b"", stall=0),
    "hangup": lambda argument, ask, passes: Answer(0, raw=b"", close=True),
}
"""
The first that gives an answer wins.  ``hop*`` lead to the rest of the address after
them; ``sign=N`` leads to an address that answers 403 after N requests.
"""


def retry_after(argument: str) -> str:
    """Seconds as they are, ``date:SECONDS`` as a date so far from now, else any text."""
    kind, _, seconds = argument.partition(":")
    return formatdate(time() + float(seconds), usegmt=True) if kind == "date" else argument


def refused(answer: Answer, argument: str) -> Answer:
    """An answer with Retry-After where it is an error."""
    if answer.status < 400:
        return answer
    return answer.with_field("Retry-After", retry_after(argument))
