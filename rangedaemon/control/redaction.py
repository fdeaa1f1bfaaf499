"""
What may be shown of texts that come from elsewhere.

Credentials in an address never leave the daemon; lone surrogates (names on disk
that are not UTF-8) become U+FFFD, because JSON text has to be UTF-8 (RFC 8259, 8.1).
"""

from __future__ import annotations

import re

_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")
"""Everything up to the last ``@`` of the authority (RFC 3986, 3.2)."""


def shown(text: str) -> str:
    """*text* without the userinfo of any address in it, as valid Unicode."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    return _USERINFO.sub("", text) if "@" in text else text


def shown_or_none(text: str | None) -> str | None:
    """`shown`, where there is a text."""
    return None if text is None else shown(text)
