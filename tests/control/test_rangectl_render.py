"""What ``rangectl`` shows: columns, bars, maps and lines, as text of a known width."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.cli.columns import Column, aligned
from rangedaemon.control.cli.render import (
    details,
    error_text,
    jobs_table,
    progress,
    segment_map,
    state_line,
    status_view,
    summary,
)

MiB = 1 << 20


def job(number: int, state: str = "active", **fields: Any) -> dict[str, Any]:
    """A job object."""
    return {
        "id": f"{number:016x}", "name": f"file-{number}", "filename": None, "urls": ["http://a/f"],
        "state": state, "size": None, "received": 0, "rate": 0, "eta_s": None, "error": None,
        "path": None, "retry_at": None, "verified": None, **fields,
    }  # fmt: skip


HALF = job(1, size=4 * MiB, received=2 * MiB, rate=MiB, eta_s=2)


def mirror(state: str, **counts: int) -> dict[str, Any]:
    """A mirror's job object after a round with these counts."""
    names = ("found", "fetched", "unchanged", "failed", "left", "gone", "deleted")
    told = dict.fromkeys(names, 0) | counts
    return job(9, state, kind="mirror", mirror={"round": told if counts else None})


class MirrorTests(SynchronousTestCase):
    """Mirrors count files, not octets."""

    def test_line(self) -> None:
        """What became of the files; what is nought is not told."""
        table = {
            "waiting": (
                {"found": 9, "fetched": 1, "unchanged": 8},
                "9 of 9 files: 1 fetched, 8 un",
            ),
            "failed": ({"found": 9, "unchanged": 8, "failed": 1}, "8 of 9 files: 8 unchanged, 1 f"),
            "active": ({}, "no round yet"),
        }
        for state, (counts, told) in table.items():
            self.assertIn(f"({told}", state_line(mirror(state, **counts)))
        self.assertNotIn("round", state_line(mirror("queued")))

    def test_columns(self) -> None:
        """Percentages and bars go by files; before a round there is nothing to count."""
        half = mirror("active", found=10, fetched=2, unchanged=3, left=5)
        for text in (jobs_table([half], 100).plain, progress([half], 100, 5, 0.0).plain):
            self.assertIn("50 %", text)
            self.assertIn("10 files", text)
        self.assertIn("━" * 10 + "─" * 10, progress([half], 100, 5, 0.0).plain)
        self.assertIn("5 of 10 files: 2 fetched, 3 unchanged, 5 left", details(half).plain)
        self.assertIn("0 files", jobs_table([mirror("queued")], 100).plain)


class AlignedTests(SynchronousTestCase):
    """Columns that fit."""

    columns = (Column("ID"), Column("SIZE", right=True, goes=1), Column("NAME"))
    rows = (
        [Text("id-1"), Text("5 B"), Text("a name that is rather long")],
        [Text("id-2"), Text("1024 B"), Text("日本語の名前です")],
    )

    def plain(self, width: int) -> list[str]:
        """The lines at *width*."""
        return [line.plain for line in aligned(self.rows, self.columns, width, flexible=2)]

    def test_wide(self) -> None:
        """Everything is there, aligned, without blanks at the end."""
        self.assertEqual(
            self.plain(80),
            ["id-1     5 B  a name that is rather long", "id-2  1024 B  日本語の名前です"],
        )

    def test_narrow(self) -> None:
        """The flexible column gives way, by cells and not by characters."""
        self.assertEqual(
            self.plain(26), ["id-1     5 B  a name that…", "id-2  1024 B  日本語の名 …"]
        )

    def test_narrower(self) -> None:
        """Then the unimportant columns go, and the rest stays whole."""
        self.assertEqual(self.plain(20), ["id-1  a name that i…", "id-2  日本語の名前 …"])

    @given(
        st.lists(
            st.tuples(st.text(st.characters(categories=["L", "N", "So"])), st.text("ab ")),
            max_size=5,
        ),
        st.integers(min_value=30, max_value=90),
    )
    def test_fits(self, cells: list[tuple[str, str]], width: int) -> None:
        """No line is wider than the terminal once the flexible column can give way."""
        rows = [[Text("1234567890"), Text(second[:8]), Text(first)] for first, second in cells]
        for line in aligned(rows, self.columns, width, flexible=2):
            self.assertLessEqual(cell_len(line.plain), width)


class TableTests(SynchronousTestCase):
    """``list``, ``show`` and ``status``."""

    def test_list(self) -> None:
        """One line for each job below the titles."""
        text = jobs_table([HALF, job(2, "queued")], 100).plain
        self.assertEqual(
            text.split("\n"),
            [
                "ID                STATE   DONE     SIZE       RATE  LEFT  NAME",
                "0000000000000001  active  50 %  4.0 MiB  1.0 MiB/s  0:02  file-1",
                "0000000000000002  queued              ?                   file-2",
            ],
        )

    def test_name_falls_back(self) -> None:
        """Without a name it is the file's, else the address."""
        named = jobs_table([job(1, name=None, filename="f.iso"), job(2, name=None)], 100).plain
        self.assertEqual(
            [line.split()[-1] for line in named.split("\n")[1:]], ["f.iso", "http://a/f"]
        )

    def test_details(self) -> None:
        """What says nothing is left out; every address has its line."""
        text = details({**HALF, "urls": ["http://a/f", "http://b/f"], "etag": '"1"', "path": None})
        self.assertEqual(text.plain.count("url       http://"), 2)
        self.assertIn("received  2.0 MiB of 4.0 MiB 50 %", text.plain)
        self.assertNotIn("path", text.plain)

    def test_status(self) -> None:
        """Counts in words; a field that this client does not know is shown all the same."""
        text = status_view(
            {"uptime_s": 3661.0, "jobs": {"active": 2, "failed": 0}, "rate_in": MiB, "new": None}
        ).plain
        self.assertEqual(text.split(), ["up", "1:01:01", "jobs", "2", "active", "in", "1.0", "MiB/s", "new", "-"])  # fmt: skip  # noqa: E501

    def test_plain_values(self) -> None:
        """Lists and truths are told in words, not in Python."""
        text = status_view({"files": ["http://a/", "http://b/"], "uploads": []}).plain
        self.assertEqual(text.split("\n"), ["files    http://a/, http://b/", "uploads  none"])
        self.assertIn("accepts_ranges  yes", details({**HALF, "accepts_ranges": True}).plain)


class ProgressTests(SynchronousTestCase):
    """Bars."""

    def lines(self, jobs: list[dict[str, Any]], width: int = 80, height: int = 24) -> list[str]:
        """The picture at 0 seconds."""
        return progress(jobs, width, height, 0.0).plain.split("\n")

    def test_half(self) -> None:
        """Half of the bar is full; rate, time left and state stand beside it."""
        bar, last = self.lines([HALF])
        self.assertEqual(bar.split(), ["file-1", "━" * 10 + "─" * 10, "50", "%", "4.0", "MiB", "1.0", "MiB/s", "0:02", "active"])  # fmt: skip  # noqa: E501
        self.assertEqual(last, "1 active · 1.0 MiB/s")

    def test_never_full_before_the_end(self) -> None:
        """The bar is full only where everything is there."""
        [bar, _] = self.lines([job(1, size=10**9, received=10**9 - 1)])
        self.assertIn("━" * 19 + "─", bar)
        self.assertIn("99 %", bar)

    def test_unknown_size(self) -> None:
        """A piece wanders where the size is not known, and comes back."""
        seen = {
            progress([job(1, received=MiB)], 80, 5, now / 8).plain.split("\n")[0]
            for now in range(40)
        }
        self.assertEqual(len(seen), 15)
        self.assertTrue(all("━" * 6 in line and "1.0 MiB/?" in line for line in seen))

    def test_still_states(self) -> None:
        """What waits has an empty bar, an empty file that is complete a full one."""
        waiting, complete = self.lines([job(1, "queued"), job(2, "complete", size=0)])[:2]
        self.assertIn("─" * 20, waiting)
        self.assertIn("━" * 20, complete)

    def test_order_and_room(self) -> None:
        """What runs comes first; what does not fit is counted."""
        jobs = [job(n, "complete" if n < 8 else "active") for n in range(10)]
        shown = self.lines(jobs, height=5)
        self.assertEqual(len(shown), 5)
        self.assertEqual([line.split()[0] for line in shown[:3]], ["file-8", "file-9", "file-0"])
        self.assertEqual(shown[3], "… and 7 more")
        self.assertEqual(shown[4], "2 active, 8 complete")

    @given(st.integers(min_value=20, max_value=200), st.integers(min_value=3, max_value=12))
    def test_fits(self, width: int, height: int) -> None:
        """Never more lines than there is room for."""
        jobs = [job(n, name="n" * 60, size=n * MiB, received=n) for n in range(1, 15)]
        self.assertLessEqual(len(self.lines(jobs, width, height)), height)

    def test_finished_has_no_rate(self) -> None:
        """The speed that the last event tells of is over."""
        self.assertEqual(summary([job(1, "complete", rate=MiB)]).plain, "1 complete")


class LineTests(SynchronousTestCase):
    """One line for one change of state."""

    def test_lines(self) -> None:
        """Each state says what matters in it."""
        error = {"code": "timed-out", "message": "silence", "url": "http://a/f"}
        done = {"size": MiB, "path": "/d/f", "verified": "checksum"}
        table = [
            (job(1), "active file-1"),
            (job(1, "complete", **done), "complete file-1 (1.0 MiB, verified by checksum) /d/f"),
            (job(1, "failed", error=error), "failed file-1: timed-out: silence (http://a/f)"),
            (
                job(1, "waiting", error=error, retry_at="2030-01-01T00:00:00Z"),
                "waiting file-1: timed-out: silence (http://a/f); next try 2030-01-01T00:00:00Z",
            ),
        ]
        for value, line in table:
            with self.subTest(value["state"]):
                self.assertEqual(state_line(value), f"{1:016x} {line}")

    def test_address_once(self) -> None:
        """An address that the message has already is not told again."""
        error = {"code": "not-found", "message": "http://a/f is gone", "url": "http://a/f"}
        self.assertEqual(error_text(job(1, error=error)), "not-found: http://a/f is gone")
        error = {"code": "not-found", "message": "it answered 404", "url": "http://a/f"}
        self.assertEqual(error_text(job(1, name=None, error=error)), "not-found: it answered 404")


def segment(start: int, end: int, received: int, state: str) -> dict[str, Any]:
    """A segment object."""
    return {"start": start, "end": end, "received": received, "state": state, "url": None}


class MapTests(SynchronousTestCase):
    """The map of a file."""

    def test_signs(self) -> None:
        """There, being fetched, missing."""
        segments = [
            segment(0, 40, 40, "done"), segment(40, 80, 20, "active"),
            segment(80, 100, 0, "missing"),
        ]  # fmt: skip
        self.assertEqual(segment_map(segments, 10), "██████▒▒··")

    def test_one_octet(self) -> None:
        """One missing octet shows, however large the file is."""
        segments = [segment(0, 10**12, 10**12 - 1, "missing")]
        self.assertEqual(segment_map(segments, 10), "█████████·")

    def test_empty(self) -> None:
        """No segments, no map."""
        self.assertEqual(segment_map([], 10), "")
        self.assertEqual(segment_map([segment(0, 0, 0, "done")], 10), "")

    @given(st.lists(st.booleans(), min_size=1, max_size=300), st.integers(1, 72))
    def test_full_means_whole(self, octets: list[bool], width: int) -> None:
        """A map is full exactly where every octet is there."""
        segments = [
            segment(n, n + 1, int(there), "done" if there else "missing")
            for n, there in enumerate(octets)
        ]
        drawn = segment_map(segments, width)
        self.assertEqual(len(drawn), width)
        self.assertEqual(set(drawn) == {"█"}, all(octets))
