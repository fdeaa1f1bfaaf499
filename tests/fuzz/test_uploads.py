"""What senders of files say: a decision, or a refusal with a status of theirs."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.receiving import draft, put, segmented, tus
from rangedaemon.core.receiving.asks import LARGEST, Ask, Refusal
from rangedaemon.core.uploadrules import final_name
from rangedaemon.errors import ClientFault
from tests.fuzz.mutants import mutants

SAMPLES = {
    "upload-length": ["0", "100", "99999999999999999999"],
    "upload-offset": ["0", "70", "+1", "1.0"],
    "upload-defer-length": ["1", "0"],
    "upload-metadata": ["filename d29ybGQ=,is_confidential", "filename bad!", "a YQ==,a YQ=="],
    "upload-checksum": ["sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", "sha1 ?", "crc32 AAAA"],
    "upload-concat": ["partial", "final;/files/a /files/b", "final;"],
    "upload-complete": ["?1", "?0", "1"],
    "upload-draft-interop-version": ["8", "3"],
    "content-type": ["application/offset+octet-stream", "application/partial-upload", "a/b"],
    "content-disposition": ['attachment; filename="big.iso"', "attachment"],
    "content-range": ["bytes 0-9/100", "bytes */100"],
    "x-content-range": ["bytes 0-9/100", "bytes 90-99/100", "bytes 5-4/9"],
    "x-session-id": ["1111215056", "../../x"],
}
FIELDS = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(texts) | mutants(texts) for name, texts in SAMPLES.items()}
)
ASKS = st.builds(
    Ask,
    st.sampled_from(["POST", "PATCH", "PUT", "HEAD"]),
    FIELDS,
    st.none() | st.integers(0, 200) | st.just(LARGEST),
)

many = settings(max_examples=400, deadline=None)


class AskTests(SynchronousTestCase):
    """Heads of requests in every protocol."""

    def read(self, reader: Callable[[], object]) -> object:
        """What it says; None: it was refused, with a status that blames its sender."""
        try:
            return reader()
        except Refusal as refusal:
            self.assertTrue(400 <= refusal.http_status < 500, refusal)
            return None

    @many
    @given(ASKS)
    def test_tus(self, ask: Ask) -> None:
        """Offsets and lengths are counts of octets."""
        self.read(lambda: tus.read_creation(ask))
        append = self.read(lambda: tus.read_append(ask))
        if append is not None:
            self.assertTrue(0 <= append.offset <= LARGEST)  # type: ignore[attr-defined]

    @many
    @given(ASKS, st.integers(0, 200), st.none() | st.integers(0, 200))
    def test_draft(self, ask: Ask, offset: int, known: int | None) -> None:
        """The draft's too."""
        self.read(lambda: draft.read_creation(ask))
        self.read(lambda: draft.read_append(ask, offset, known))

    @many
    @given(ASKS)
    def test_segments(self, ask: Ask) -> None:
        """A segment lies in its file."""
        segment = self.read(lambda: segmented.read_segment(ask))
        piece = getattr(segment, "range", None)
        if piece is not None:
            self.assertTrue(0 <= piece.start < piece.stop <= segment.length)  # type: ignore[union-attr]

    @many
    @given(ASKS)
    def test_put(self, ask: Ask) -> None:
        """So does what a PUT brings."""
        self.read(lambda: put.read_put(ask))

    @many
    @given(
        mutants(["big.iso", "../../etc/passwd", "/abs/olute", ".hidden", "CON", "a\x00b"]),
        st.booleans(),
    )
    def test_names(self, wished: str, hidden: bool) -> None:
        """No wish of a sender leads out of the mount."""
        try:
            name = final_name(wished, hidden_files=hidden)
        except ClientFault:
            return
        self.assertNotIn("/", name)
        self.assertNotIn(name, ("", ".", ".."))
        if not hidden:
            self.assertFalse(name.startswith("."))
