"""
What a client would rather have: weighted lists (RFC 9110, sections 12.4.2 and 12.5).

A member that cannot be read is passed over; a list that is absent accepts anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rangedaemon.core.grammar import OWS, TOKEN, split_quoted_list

_MEMBER = re.compile(rf"({TOKEN}(?:/{TOKEN})?)[ \t]*((?:;.*)?)", re.DOTALL)
_WEIGHT = re.compile(r";[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*(?:;|$)", re.IGNORECASE)

_MAX_MEMBERS = 64


def parse_weights(text: str) -> dict[str, float]:
    """The members of a weighted list, lower case, with their weights (1 where none is told)."""
    weights: dict[str, float] = {}
    for element in list(split_quoted_list(text))[:_MAX_MEMBERS]:
        if match := _MEMBER.fullmatch(element.strip(OWS)):
            weight = _WEIGHT.search(match[2])
            weights[match[1].lower()] = float(weight[1]) if weight else 1.0
    return weights


def preferred_type(accept: str | None, offers: Sequence[str]) -> str:
    """The media type of *offers* that suits best, the first where all are alike or none does."""
    if accept is None:
        return offers[0]
    weights = parse_weights(accept)
    return max(offers, key=lambda offer: _type_weight(offer, weights))


def _type_weight(offer: str, weights: Mapping[str, float]) -> float:
    kind = offer.split("/", maxsplit=1)[0]
    for pattern in (offer, f"{kind}/*", "*/*"):
        if pattern in weights:
            return weights[pattern]
    return 0.0


def preferred_codings(accept_encoding: str | None, offers: Sequence[str]) -> list[str]:
    """
    Those of *offers* to be tried, best first, before the file as it is (12.5.3).

    A client that says nothing of codings gets none: what it does not name it may not
    understand.  Codings that it likes less than ``identity`` are left out.
    """
    if accept_encoding is None:
        return []
    weights = parse_weights(accept_encoding)
    anything = weights.get("*", 0.0)
    plain = weights.get("identity", 0.0)
    liked = [(weights.get(offer, anything), -at, offer) for at, offer in enumerate(offers)]
    return [
        offer for weight, _, offer in sorted(liked, reverse=True) if weight > 0 <= weight - plain
    ]
