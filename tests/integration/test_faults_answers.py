"""
Answers that are wrong: what their octets are worth, and what they may cost.

Every test asserts the octets of the file or the error's code, and how many octets
crossed the wire, as multiples of the file's size.
"""

from __future__ import annotations

from tests.integration.downloading import SIZE, DownloadCase

SHORT_RETRY = {"attempts": 4, "initial_delay": "20ms", "max_delay": "200ms"}


class AnswerCase(DownloadCase):
    """Origins that never get better are given up soon."""

    downloads = {"retry": SHORT_RETRY, "connect_timeout": "1s"}

    def completes(self, faults: str, most: float) -> None:
        """The file is right, and at most so many times its size was sent."""
        path = self.path(faults)
        self.fetch(path)
        self.assert_sent(path, 1.0, most)

    def refuses(self, faults: str, code: str, most: float) -> None:
        """The job fails with *code*, and no more than that was sent."""
        path = self.path(faults)
        self.assert_fails(path, code)
        self.assert_sent(path, 0.0, most)


class IgnoredRangeTests(AnswerCase):
    """200 in answer to a range: never written at the offset that was asked for."""

    def test_always(self) -> None:
        """Ranges are ignored from the start: one stream, each octet once."""
        self.completes("noranges", 1.0)

    def test_sometimes(self) -> None:
        """Every third request is answered whole: its octets are not taken for the range's."""
        self.completes("noranges~every3", 2.1)

    def test_no_more(self) -> None:
        """Range support ends in the middle of the run: what is there is not lost."""
        self.completes("noranges~after3", 2.1)

    def test_advertised_none(self) -> None:
        """``Accept-Ranges: none`` is only advice; the answers decide."""
        self.completes("accept=none/noranges", 1.0)


class ContentRangeTests(AnswerCase):
    """206 whose Content-Range is not what was asked for."""

    def test_shifted(self) -> None:
        """Another start than asked for: the server's ranges are not used."""
        self.completes("shift=1", 1.5)

    def test_shifted_meanwhile(self) -> None:
        """The same from the third request on."""
        self.completes("shift=1~after2", 2.1)

    def test_longer(self) -> None:
        """More octets than asked for."""
        self.completes("longer=1000", 1.5)

    def test_shorter(self) -> None:
        """Fewer than asked for is legal: the rest is asked for again."""
        self.completes("shorter=40", 1.1)

    def test_limited(self) -> None:
        """A server that gives at most 300 KiB at a time."""
        self.completes("atmost=300KiB", 1.1)

    def test_impossible_total(self) -> None:
        """A total that is less than the range's end."""
        self.refuses("total=7777", "bad-response", 2.0)

    def test_wrong_total(self) -> None:
        """A total that is larger than the file, in each range: an answer without one brings it."""
        path = self.path("total=13000000")
        self.fetch(path)
        self.assert_sent(path, 1.0, 4.1)

    def test_other_total_once(self) -> None:
        """One answer with another total: another representation, so nothing of it is kept."""
        self.completes("total=13000000~only2", 2.1)

    def test_unknown_total(self) -> None:
        """``*`` for the total from the start."""
        self.completes("total=%2A", 1.5)

    def test_unknown_total_meanwhile(self) -> None:
        """``*`` for a total that is known."""
        self.completes("total=%2A~after1", 1.2)

    def test_missing(self) -> None:
        """206 without Content-Range is no answer."""
        self.refuses("nocr", "bad-response", 2.0)

    def test_missing_meanwhile(self) -> None:
        """The same from the third request on: the job ends, it does not hammer the server."""
        path = self.path("nocr~after2")
        self.assert_fails(path, "bad-response")
        self.assertLess(len(self.origin.ledger.of(path)), 60)

    def test_invalid(self) -> None:
        """A last octet before the first."""
        self.refuses("cr=bytes%209-3%2F12582912", "bad-response", 2.0)

    def test_other_unit(self) -> None:
        """A unit that is not bytes."""
        self.refuses("cr=octets%200-4194303%2F12582912", "bad-response", 2.0)

    def test_multipart(self) -> None:
        """``multipart/byteranges`` to a single range: no range support."""
        self.completes("multipart", 1.5)

    def test_multipart_meanwhile(self) -> None:
        """The same from the third request on."""
        self.completes("multipart~after2", 2.1)


class CodingTests(AnswerCase):
    """Content codings that nobody asked for."""

    def test_gzip(self) -> None:
        """Coded by gzip though identity was asked for: its octets are not the file's."""
        self.refuses("gzip", "bad-response", 2.0)

    def test_gzip_meanwhile(self) -> None:
        """A coded 206 among good ones is not written."""
        path = self.path("gzip~only3")
        self.fetch(path)
        self.assert_sent(path, 1.0, 1.5)


class FramingTests(AnswerCase):
    """How bodies end."""

    def test_chunked_ranges(self) -> None:
        """Chunked 206: Content-Range says how much it is."""
        self.completes("chunked", 1.2)

    def test_chunked_whole(self) -> None:
        """Chunked 200: complete where the last chunk was seen."""
        self.completes("chunked/noranges", 1.0)

    def test_chunked_cut(self) -> None:
        """Chunked 200 that ends without its last chunk: not complete."""
        path = self.path("chunked/noranges/cut=5MiB")
        self.fetch_failing(path)

    def test_close_delimited_ranges(self) -> None:
        """206 that ends with the connection: Content-Range says how much it is."""
        self.completes("closed", 1.2)

    def test_close_delimited_whole(self) -> None:
        """200 that ends with the connection and has no length: nobody can call it whole."""
        self.refuses("closed/noranges", "bad-response", 5.0)

    def test_http10(self) -> None:
        """An HTTP/1.0 server with ranges."""
        self.completes("http10", 1.2)

    def test_http10_whole(self) -> None:
        """An HTTP/1.0 server without."""
        self.completes("http10/noranges", 1.0)

    def test_too_many_octets(self) -> None:
        """More octets than promised: never behind the end of the range."""
        self.completes("overrun=100", 1.2)

    def test_wrong_length(self) -> None:
        """A Content-Length that does not fit the Content-Range."""
        self.refuses("declare=100", "bad-response", 2.0)


class BreakTests(AnswerCase):
    """Connections that end before their answer does."""

    def test_closed_early(self) -> None:
        """Each connection ends after 1 MiB: what came is kept."""
        self.completes("cut=1MiB", 1.1)

    def test_reset(self) -> None:
        """The same by a reset."""
        self.completes("reset=1MiB", 1.2)

    def test_closed_early_without_ranges(self) -> None:
        """Without ranges there is no going on; a later whole answer is taken."""
        self.completes("cut=1MiB~first3/noranges", 1.5)

    def test_always_closed_early_without_ranges(self) -> None:
        """If it never gets further the job ends, and does not hammer the server."""
        path = self.path("cut=1MiB/noranges")
        self.assert_fails(path, "unreachable")
        self.assertLess(len(self.origin.ledger.of(path)), 15)

    def test_hangs_up(self) -> None:
        """A server that closes without a word."""
        self.refuses("hangup", "unreachable", 0.0)

    def test_no_http(self) -> None:
        """A server that speaks something else."""
        path = self.path("raw=garbage%0D%0A%0D%0A")
        self.fetch_failing(path)

    def test_slow_connection(self) -> None:
        """One connection at a fiftieth: the others take its work over."""
        path = self.path(f"rate={SIZE // 8}/rate={SIZE // 400}~conn2")
        self.fetch(path)
        self.assert_sent(path, 1.0, 1.3)


class SilenceTests(AnswerCase):
    """Connections that fall silent."""

    downloads = {**AnswerCase.downloads, "stall_timeout": "1s"}

    def test_silent_connection(self) -> None:
        """One connection falls silent: it is given up, the others take over."""
        self.completes("stall=1MiB~only2", 1.2)

    def test_all_fall_silent(self) -> None:
        """Every answer falls silent after 1 MiB: still each octet once."""
        self.completes("stall=1MiB", 1.2)

    def test_silent_without_ranges(self) -> None:
        """Silent in the middle every time, and no ranges: timed out."""
        path = self.path("stall=100000/noranges")
        self.assert_fails(path, "timed-out")
        self.assertLess(len(self.origin.ledger.of(path)), 15)

    def test_no_answer(self) -> None:
        """A server that takes the request and never answers."""
        self.refuses("silent", "timed-out", 0.0)

    def test_no_answer_once(self) -> None:
        """One that answers the second time."""
        self.completes("silent~only1", 1.2)
