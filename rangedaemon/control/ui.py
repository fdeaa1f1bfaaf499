"""
The web page: static files below ``/ui/``, each read once, at the start.

They hold no secret and need no token; the page asks the API with the one that its
reader gives it.  The policy below (Content Security Policy Level 3) lets the page
run nothing but these files and talk to nobody but this daemon.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from rangedaemon.control.answers import Answer
from rangedaemon.control.problems import MethodRefused, UnknownPath, problem_answer
from rangedaemon.control.routing import set_fields, write_head
from rangedaemon.core.etags import EntityTag
from rangedaemon.core.negotiation import preferred_codings
from rangedaemon.core.preconditions import Conditions, Validators, Verdict, evaluate
from rangedaemon.errors import Fault

FILES = Path(__file__).parent / "web"
MEDIA_TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; media-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
FIELDS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Vary": "Accept-Encoding",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class Form:
    """A file in one content coding."""

    body: bytes
    tag: EntityTag
    coding: str | None = None


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page, as it is and compressed."""

    media_type: str
    plain: Form
    compressed: Form

    @classmethod
    def of(cls, octets: bytes, media_type: str) -> Asset:
        """The same octets always give the same tags."""
        name = sha256(octets).hexdigest()[:24]
        packed = gzip.compress(octets, 9, mtime=0)
        return cls(
            media_type,
            Form(octets, EntityTag(name)),
            Form(packed, EntityTag(f"{name}-gzip"), "gzip"),
        )

    def form_for(self, accept_encoding: str | None) -> Form:
        """What suits who asks."""
        return self.compressed if preferred_codings(accept_encoding, ["gzip"]) else self.plain


def read_assets(directory: Path = FILES) -> Mapping[str, Asset]:
    """Every file of the page by its name; blocking."""
    return {
        file.name: Asset.of(file.read_bytes(), MEDIA_TYPES[file.suffix])
        for file in sorted(directory.iterdir())
        if file.suffix in MEDIA_TYPES
    }


class Page(Resource):
    """``/ui/``: the page at its root, its files by name."""

    isLeaf = True

    def __init__(self, assets: Mapping[str, Asset]) -> None:
        Resource.__init__(self)
        self._assets = assets

    def render(self, request: Request) -> bytes:
        """The file, or the one word why not."""
        set_fields(request, FIELDS)
        try:
            _check_method(request)
            if not request.postpath:
                return write_head(request, _moved())
            return self._send(request, self._found(request.postpath))
        except Fault as fault:
            return write_head(request, problem_answer(fault))

    def _found(self, segments: list[bytes]) -> Asset:
        name = b"/".join(segments).decode("latin-1") or "index.html"
        asset = self._assets.get(name)
        if asset is None:
            raise UnknownPath("there is no such file of the web page")
        return asset

    def _send(self, request: Request, asset: Asset) -> bytes:
        form = asset.form_for(_field(request, b"Accept-Encoding"))
        request.setHeader("ETag", str(form.tag))
        verdict = evaluate(
            request.method.decode("ascii"), _asked(request), Validators(form.tag), now=0.0
        )
        if verdict is Verdict.GO_ON:
            if form.coding is not None:
                request.setHeader("Content-Encoding", form.coding)
            return write_head(request, Answer(200, form.body, asset.media_type))
        return write_head(request, Answer(int(verdict.value), media_type=None))


class Doorstep(Resource):
    """``/``: people who come without a path want the page."""

    isLeaf = True

    def __init__(self) -> None:
        Resource.__init__(self)

    def render(self, request: Request) -> bytes:
        """Lead them there."""
        try:
            _check_method(request)
        except Fault as fault:
            return write_head(request, problem_answer(fault))
        return write_head(request, _moved())


def branches() -> Mapping[bytes, IResource]:
    """What the control site serves without a token, by the first segment of the path."""
    return {b"": Doorstep(), b"ui": Page(read_assets())}


def _check_method(request: Request) -> None:
    if request.method not in (b"GET", b"HEAD"):
        raise MethodRefused("the web page is only read", ("GET", "HEAD"))


def _moved() -> Answer:
    """To the page; relative, so that it holds behind a proxy that adds a prefix."""
    return Answer(308, media_type=None, fields={"Location": "ui/", "Content-Length": "0"})


def _asked(request: Request) -> Conditions:
    return Conditions(
        if_match=_field(request, b"If-Match"), if_none_match=_field(request, b"If-None-Match")
    )


def _field(request: Request, name: bytes) -> str | None:
    lines = request.requestHeaders.getRawHeaders(name)
    return None if lines is None else ", ".join(line.decode("latin-1") for line in lines)
