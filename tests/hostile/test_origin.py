"""The hostile origin is itself a correct range server until it is asked to be wrong."""

from __future__ import annotations

import gzip
import http.client
import threading

import pytest
from twisted.trial.unittest import SynchronousTestCase

from tests.hostile import HostileOrigin, content

pytestmark = pytest.mark.integration

SIZE = 200_000


class Reply:
    """What came back, read to its end (or to its break)."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.version = response.version
        self.get = response.headers.get
        self.broken = False
        try:
            self.body = response.read()
        except (http.client.IncompleteRead, ConnectionError) as error:
            self.broken = True
            self.body = getattr(error, "partial", b"")


class OriginTests(SynchronousTestCase):
    """Each word of the address does what its table says."""

    def setUp(self) -> None:
        self.origin = HostileOrigin()
        self.addCleanup(self.origin.close)

    def ask(self, target: str, method: str = "GET", **fields: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.origin.port, timeout=60)
        self.addCleanup(connection.close)
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        connection.request(method, f"{target}?size={SIZE}", headers=headers)
        return Reply(connection.getresponse())

    def test_whole(self) -> None:
        """Without a fault the whole file comes with its validators."""
        reply = self.ask("/f.bin")
        self.assertEqual(
            (reply.status, reply.body, reply.get("ETag"), reply.get("Accept-Ranges")),
            (200, content(1, 0, SIZE), f'"s1-{SIZE:x}"', "bytes"),
        )

    def test_range(self) -> None:
        """A range comes as 206 with an exact Content-Range."""
        reply = self.ask("/f.bin", Range="bytes=70000-140000")
        self.assertEqual(
            (reply.status, reply.get("Content-Range"), reply.body),
            (206, f"bytes 70000-140000/{SIZE}", content(1, 70000, 70001)),
        )

    def test_range_at_end(self) -> None:
        """A range that starts at the end is not satisfiable."""
        reply = self.ask("/f.bin", Range=f"bytes={SIZE}-")
        self.assertEqual((reply.status, reply.get("Content-Range")), (416, f"bytes */{SIZE}"))

    def test_preconditions(self) -> None:
        """If-Range, If-Match and If-None-Match follow RFC 9110, 13.2.2."""
        tag = f'"s1-{SIZE:x}"'
        cases = [
            ({"Range": "bytes=0-9", "If-Range": tag}, 206),
            ({"Range": "bytes=0-9", "If-Range": '"other"'}, 200),
            ({"If-Match": '"other"'}, 412),
            ({"If-Match": tag}, 200),
            ({"If-None-Match": tag}, 304),
            ({"If-Unmodified-Since": "Sun, 06 Nov 1994 08:49:37 GMT"}, 412),
        ]
        got = [self.ask("/f.bin", **fields).status for fields, _ in cases]
        self.assertEqual(got, [status for _, status in cases])

    def test_change(self) -> None:
        """A changed file has other octets, another tag and the same size."""
        before = self.ask("/f.bin")
        self.origin.change("/f.bin", 2)
        after = self.ask("/f.bin")
        self.assertEqual(after.body, content(2, 0, SIZE))
        self.assertNotEqual(after.get("ETag"), before.get("ETag"))

    def test_answer_faults(self) -> None:
        """Faults of a 206 show in its head as described."""
        cases = {
            "shift=5": f"bytes 15-24/{SIZE}",
            "longer=5": f"bytes 10-24/{SIZE}",
            "shorter=5": f"bytes 10-14/{SIZE}",
            "total=*": "bytes 10-19/*",
            "total=7": "bytes 10-19/7",
            "nocr": None,
            "cr=bytes%209-3%2F": "bytes 9-3/",
        }
        got = {
            fault: self.ask(f"/{fault}/f.bin", Range="bytes=10-19").get("Content-Range")
            for fault in cases
        }
        self.assertEqual(got, cases)

    def test_lie(self) -> None:
        """A lie keeps the label and sends octets of elsewhere."""
        reply = self.ask("/lie=5/f.bin", Range="bytes=10-19")
        self.assertEqual(
            (reply.get("Content-Range"), reply.body),
            (f"bytes 10-19/{SIZE}", content(1, 15, 10)),
        )

    def test_framings(self) -> None:
        """Chunked, close-delimited and HTTP/1.0 bodies are whole."""
        chunked, closed = self.ask("/chunked/f.bin"), self.ask("/closed/f.bin")
        old = self.ask("/http10/f.bin", Range="bytes=0-9")
        self.assertEqual(chunked.get("Transfer-Encoding"), "chunked")
        self.assertIsNone(closed.get("Content-Length"))
        self.assertEqual((old.version, old.status), (10, 206))
        self.assertEqual({chunked.body, closed.body}, {content(1, 0, SIZE)})

    def test_gzip(self) -> None:
        """A coded answer says so."""
        reply = self.ask("/gzip/f.bin", Range="bytes=0-99")
        self.assertEqual(
            (reply.get("Content-Encoding"), gzip.decompress(reply.body)),
            ("gzip", content(1, 0, 100)),
        )

    def test_cut(self) -> None:
        """A cut answer ends after exactly so many octets."""
        reply = self.ask("/cut=70000/f.bin")
        self.assertTrue(reply.broken)
        self.assertEqual(reply.body, content(1, 0, 70000))
        self.assertEqual(self.origin.ledger.octets("/cut=70000/f.bin"), 70000)

    def test_conditions(self) -> None:
        """Faults may hold for some requests only."""
        got = [self.ask("/status=503~first2/retry=7/f.bin") for _ in range(3)]
        self.assertEqual([r.status for r in got], [503, 503, 200])
        self.assertEqual([r.get("Retry-After") for r in got], ["7", "7", None])

    def test_redirects(self) -> None:
        """A relative hop leads to the rest of the address."""
        reply = self.ask("/hoprel/etag=none/f.bin")
        self.assertEqual(
            (reply.status, reply.get("Location")), (302, "../../etag=none/f.bin?size=200000")
        )

    def test_signed(self) -> None:
        """A signed address is good for so many requests."""
        target = str(self.ask("/sign=2/f.bin").get("Location")).partition("?")[0]
        self.assertEqual([self.ask(target).status for _ in range(3)], [200, 200, 403])

    def test_gate(self) -> None:
        """A gate lets its budget through and the rest once it is opened."""
        replies: list[Reply] = []
        reader = threading.Thread(
            target=lambda: replies.append(self.ask("/gate=g:100000/f.bin")), daemon=True
        )
        reader.start()
        path = "/gate=g:100000/f.bin"
        self.origin.ledger.wait(lambda ledger: ledger.octets(path) == 100_000, "the budget used")
        self.assertEqual(replies, [])
        self.origin.gates.open("g")
        reader.join(10)
        self.assertEqual(replies[0].body, content(1, 0, SIZE))

    def test_unknown_fault(self) -> None:
        """A fault that does not exist is a complaint about the test."""
        self.assertEqual(self.ask("/nonsense/f.bin").status, 500)
        self.assertEqual(len(self.origin.complaints), 1)
        self.origin.complaints.clear()
