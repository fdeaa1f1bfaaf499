"""Tests for `rangedaemon.control.dropped`: files of a watch folder."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.dropped import MAX_OCTETS, specs_in
from rangedaemon.core.jobs import JobSpec

METALINK = b"""<?xml version="1.0"?><metalink xmlns="urn:ietf:params:xml:ns:metalink">
<file name="a.iso"><size>9</size><url>http://h/a</url><url>http://m/a</url></file>
<file name="b.iso"><url>http://h/b</url></file></metalink>"""


def specs(name: str, octets: bytes, stamp: str = "1") -> list[JobSpec]:
    """The jobs."""
    return specs_in(name, octets, stamp, directory="/srv", segments=4)


class DroppedTests(SynchronousTestCase):
    """Tests for `specs_in`."""

    def test_list(self) -> None:
        """Addresses, mirrors by tabs, options as aria2 has them."""
        text = b"# two\nhttp://h/a\thttp://m/a\n  out=x\n  dir=sub\n  split=2\nhttp://h/b\r\n"
        first, second = specs("l.txt", text)
        self.assertEqual(first.urls, ("http://h/a", "http://m/a"))
        self.assertEqual((first.filename, first.directory, first.segments), ("x", "/srv/sub", 2))
        self.assertEqual((second.urls, second.segments), (("http://h/b",), 4))
        self.assertEqual({first.source, second.source}, {"watch"})

    def test_metalink(self) -> None:
        """A job for each file."""
        first, second = specs("l.meta4", METALINK)
        self.assertEqual((first.filename, first.size), ("a.iso", 9))
        self.assertEqual((first.urls, second.urls), (("http://h/a", "http://m/a"), ("http://h/b",)))

    def test_ids(self) -> None:
        """The same file has the same ids, each job its own; another file has others."""
        text = b"http://h/a\nhttp://h/b\n"
        ids = [spec.id for spec in specs("l.txt", text)]
        self.assertEqual(ids, [spec.id for spec in specs("l.txt", text)])
        self.assertEqual(len({*ids, *(spec.id for spec in specs("l.txt", text, "2"))}), 4)

    def test_refused(self) -> None:
        """The message says where and why."""
        for name, octets, *words in (
            ("l.txt", b"", "0 jobs"),
            ("l.txt", b"http://h/a\n  owt=x\n", "l.txt:2:", "unknown option"),
            ("l.txt", b"http://h/a\nftp://h/b\n", "job 2", "url", "http"),
            ("l.txt", b"http://h/a\n  dir=../up\n", "job 1", "'..'"),
            ("l.txt", b"http://h/\xff\n", "not UTF-8 at octet 9"),
            ("l.meta4", b"<metalink>", "no metalink"),
            ("l.txt", b"#" * (MAX_OCTETS + 1), "larger than"),
        ):
            message = str(self.assertRaises(ValueError, specs, name, octets))
            for word in words:
                self.assertIn(word, message)

    @given(st.sampled_from(["l.txt", "l.meta4"]), st.binary(max_size=300))
    def test_anything(self, name: str, octets: bytes) -> None:
        """Whatever is dropped, there are jobs or a reason."""
        try:
            found = specs(name, octets)
        except ValueError as wrong:
            self.assertTrue(str(wrong))
        else:
            self.assertTrue(all(spec.directory.startswith("/srv") for spec in found))
