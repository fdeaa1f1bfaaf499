"""The segmented form as its clients see it."""

from __future__ import annotations

from itertools import count, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.server.uploads.arriving import MOST_PAUSES, PAUSE
from rangedaemon.server.uploads.rules import Rules
from tests.server.uploads.case import CONTENT, Peer, UploadsServedCase, head
from tests.server.wire import Reply

OCTETS = "application/octet-stream"


class SegmentedCase(UploadsServedCase):
    """Speaks the segmented form."""

    def fields(self, first: int, last: int, length: int = 100, **fields: str) -> dict[str, str]:
        """The fields of a segment."""
        return {
            "content_type": OCTETS,
            "content_disposition": 'attachment; filename="f.bin"',
            "x_content_range": f"bytes {first}-{last}/{length}",
            "x_session_id": "1111215056",
        } | fields

    def segment(self, first: int, last: int, length: int = 100, **fields: str) -> Reply:
        """One segment."""
        body = CONTENT[first : last + 1]
        return self.request("POST", "/files", body, **self.fields(first, last, length, **fields))


class StoryTests(SegmentedCase):
    """Segments in any order."""

    sessions = count()

    def test_in_order(self) -> None:
        """201 with what is there, as a field and as the body; 200 when it is all."""
        reply = self.assert_status(self.segment(0, 50), 201)
        self.assertEqual((reply.fields["Range"], reply.body), ("0-50/100", b"0-50/100"))
        self.assertIsNone(self.file("f.bin"))
        self.assert_status(self.segment(51, 99), 200)
        self.assertEqual(self.file("f.bin"), CONTENT)

    def test_out_of_order(self) -> None:
        """The list is ascending and merged."""
        self.assertEqual(self.segment(80, 99).body, b"80-99/100")
        self.assertEqual(self.segment(0, 9).body, b"0-9/100,80-99/100")
        self.assertEqual(self.segment(40, 79).body, b"0-9/100,40-99/100")
        self.assert_status(self.segment(10, 39), 200)
        self.assertEqual(self.file("f.bin"), CONTENT)

    def test_again(self) -> None:
        """The same segment again, one that overlaps, and one after the end change nothing."""
        self.segment(0, 50)
        self.assertEqual(self.segment(0, 50).body, b"0-50/100")
        self.assertEqual(self.segment(40, 60).body, b"0-60/100")
        self.assert_status(self.segment(61, 99), 200)
        self.assert_status(self.segment(61, 99), 200)
        self.assert_status(self.segment(0, 9), 200)
        self.assertEqual(self.file("f.bin"), CONTENT)
        self.assertEqual(len(list(self.root.iterdir())), 1)

    def test_parallel(self) -> None:
        """Two connections at once; one that wants the other's octets is refused."""
        one, two = Peer(self), Peer(self)
        one.send(head("POST", "/files", content_length=50, **self.fields(0, 49)) + CONTENT[:20])
        two.send(head("POST", "/files", content_length=50, **self.fields(50, 99)) + CONTENT[50:70])
        third = Peer(self)
        third.send(
            head("POST", "/files", content_length=11, **self.fields(45, 55)) + CONTENT[45:56]
        )
        for _ in range(MOST_PAUSES):
            self.assertEqual(third.heard(), b"")
            self.clock.advance(PAUSE)
        self.assert_status(third.reply(), 409)
        one.send(CONTENT[20:50])
        self.assertEqual(one.reply().status, 201)
        two.send(CONTENT[70:])
        self.assertEqual(two.reply().status, 200)
        self.assertEqual(self.file("f.bin"), CONTENT)

    def test_cut(self) -> None:
        """What came of a segment is kept, and can be asked after."""
        peer = Peer(self)
        peer.send(head("POST", "/files", content_length=50, **self.fields(0, 49)) + CONTENT[:20])
        peer.lose()
        path = "/files/.uploads/segmented/1111215056"
        reply = self.assert_status(self.request("GET", path), 201)
        self.assertEqual(reply.body, b"0-19/100")
        self.assertEqual(self.request("HEAD", path).fields["Range"], "0-19/100")
        self.segment(0, 49)
        self.assert_status(self.segment(50, 99), 200)
        self.assert_status(self.request("HEAD", path), 200)
        self.assertEqual(self.file("f.bin"), CONTENT)

    def test_sent_again_before_the_cut_is_known(self) -> None:
        """A segment that comes again waits a moment for the connection that was cut."""
        cut, again = Peer(self), Peer(self)
        cut.send(head("POST", "/files", content_length=100, **self.fields(0, 99)) + CONTENT[:20])
        again.send(head("POST", "/files", content_length=100, **self.fields(0, 99)) + CONTENT)
        for _ in range(MOST_PAUSES // 2):
            self.assertEqual(again.heard(), b"")
            self.clock.advance(PAUSE)
        cut.lose()
        self.clock.advance(PAUSE)
        self.assert_status(again.reply(), 200)
        self.assertEqual(self.file("f.bin"), CONTENT)

    def test_asked_after_in_the_middle(self) -> None:
        """What is on its way is given a moment; who sends it is not disturbed by the question."""
        peer, other = Peer(self), Peer(self)
        peer.head("POST", "/files", content_length=100, **self.fields(0, 99))
        peer.send(CONTENT[:20])
        other.head("GET", "/files/.uploads/segmented/1111215056")
        self.assertEqual(other.heard(), b"")
        self.clock.advance(PAUSE)
        self.assert_status(other.reply("GET"), 201)
        peer.send(CONTENT[20:])
        self.assert_status(peer.reply("POST"), 200)
        self.assertEqual(self.file("f.bin"), CONTENT)

    def test_given_up(self) -> None:
        """DELETE of a session."""
        self.segment(0, 9)
        path = "/files/.uploads/segmented/1111215056"
        self.assert_status(self.request("DELETE", path), 204)
        self.assert_status(self.request("HEAD", path), 410)
        self.assert_status(self.request("PATCH", path), 405)

    def test_whole(self) -> None:
        """Without a range it is the file at once; what is cut leaves nothing."""
        fields = {"content_type": OCTETS, "content_disposition": 'attachment; filename="w"'}
        self.assert_status(self.request("POST", "/files", CONTENT, **fields), 200)
        self.assertEqual(self.file("w"), CONTENT)
        self.assert_status(self.request("POST", "/files", content_length=0, **fields), 200)
        self.assertEqual(self.file("w (1)"), b"")
        peer = Peer(self)
        peer.send(head("POST", "/files", content_length=100, **fields) + CONTENT[:50])
        peer.lose()
        self.assertEqual(len(list(self.root.iterdir())), 2)
        self.assertEqual(list((self.state / "uploads").iterdir()), [])

    @settings(max_examples=25, deadline=None)
    @given(st.data())
    def test_any_division(self, data: st.DataObject) -> None:
        """However a file is divided, ordered and sent again: it is whole at the end, not before."""
        cuts = data.draw(st.sets(st.integers(1, 99), max_size=6))
        edges = [0, *sorted(cuts), 100]
        pieces = [(a, b - 1) for a, b in pairwise(edges)]
        order = data.draw(st.permutations(pieces + data.draw(st.lists(st.sampled_from(pieces)))))
        session = f"s{next(self.sessions)}"  # the same order may be drawn twice
        name = {"content_disposition": f"attachment; filename={session}", "x_session_id": session}
        there = IntervalSet()
        for first, last in order:
            reply = self.segment(first, last, **name)
            there = there.add(ByteRange(first, last + 1))
            whole = there.total == 100
            self.assertEqual(reply.status, 200 if whole else 201)
            self.assertEqual(self.file(session), CONTENT if whole else None)


class RefusalTests(SegmentedCase):
    """What goes wrong."""

    def test_other_file(self) -> None:
        """A session that goes on with another length or name is refused, and goes on."""
        self.segment(0, 49)
        self.assert_status(self.segment(50, 98, 99), 409)
        other = {"content_disposition": "attachment; filename=other"}
        self.assert_status(self.segment(50, 99, **other), 409)
        self.assert_status(self.segment(50, 99), 200)
        self.assert_status(self.segment(0, 49, 101), 409)
        self.assertEqual(self.file("f.bin"), CONTENT)

    def test_requests(self) -> None:
        """Ranges and lengths that do not fit each other, ids and types that are none."""
        for status, fields in [
            (416, self.fields(0, 50)),
            (400, self.fields(0, 49, 49)),
            (400, self.fields(50, 0)),
            (400, self.fields(0, 49, x_session_id="a/b")),
            (400, self.fields(0, 49, content_type="")),
            (415, self.fields(0, 49, content_type="multipart/form-data; boundary=x")),
            (415, self.fields(0, 49, content_disposition="inline; filename=x")),
        ]:
            with self.subTest(fields=fields):
                if not fields["content_type"]:
                    del fields["content_type"]
                self.assert_status(self.request("POST", "/files", CONTENT[:50], **fields), status)
        self.assertEqual(list(self.root.iterdir()), [])

    def test_shorter(self) -> None:
        """A body that ends before its length was only cut: what came is there."""
        peer = Peer(self)
        peer.send(head("POST", "/files", content_length=50, **self.fields(0, 49)) + CONTENT[:49])
        peer.lose()
        self.assertEqual(self.segment(90, 99).body, b"0-48/100,90-99/100")

    def test_limits(self) -> None:
        """Too large, and names and types that the mount does not take."""
        self.take(rules=Rules(max_size=99, names=("*.iso",), types=("application/*",)))
        name = {"content_disposition": "attachment; filename=A.ISO"}
        self.assert_status(self.segment(0, 9, **name), 413)
        self.assert_status(self.segment(0, 9, 50), 403)
        self.assert_status(self.segment(0, 9, 50, content_type="text/html", **name), 415)
        self.assert_status(self.segment(0, 9, 50, **name), 201)
