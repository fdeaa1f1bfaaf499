"""``rangectl`` against the real control site: what it prints, sends, and how it ends."""

from __future__ import annotations

import json

from rangedaemon.core.intervals import IntervalSet
from rangedaemon.core.jobs import JobError, JobState, Limits, Live, Remembered, SegmentSnapshot
from rangedaemon.core.repeats import Repeat
from rangedaemon.core.timetable import timetable
from tests.integration.rangectl_case import URL, SiteCase


class AddTests(SiteCase):
    """``rangectl add``."""

    def test_every_option(self) -> None:
        """All options reach the daemon; the answer is printed with its id first."""
        ended = self.ctl(
            "add", URL, "--mirror", "http://b.example/d", "--name", "deb", "--dir", "sub",
            "--filename", "d.iso", "--checksum", "md5=" + "0" * 32, "--header", "A: b",
            "-H", "C: d: e", "--segments", "3", "--priority", "-2", "--limit", "2MiB",
            "--paused", "--on-conflict", "fail", "--on-change", "keep-old",
            "--at", "22:00", "--window", "22:00-06:00", "--every", "6h", "--versions", "2",
        )  # fmt: skip
        self.assertEqual((ended.code, ended.err), (0, ""))
        self.assertEqual(ended.lines, ["0000000000000001 paused deb"])
        spec = self.jobs.jobs["0000000000000001"].record.spec
        self.assertEqual(spec.urls, (URL, "http://b.example/d"))
        self.assertEqual((spec.name, spec.filename), ("deb", "d.iso"))
        self.assertEqual(spec.directory, "/srv/downloads/sub")
        self.assertEqual(spec.checksum, "md5=" + "0" * 32)
        self.assertEqual(spec.headers, {"A": "b", "C": "d: e"})
        self.assertEqual((spec.segments, spec.priority, spec.rate_limit), (3, -2, 2 << 20))
        self.assertEqual((spec.on_conflict, spec.on_change), ("fail", "keep-old"))
        self.assertEqual((spec.start_at, spec.window), ("22:00", "22:00-06:00"))
        self.assertEqual((spec.repeat, spec.versions), (Repeat(every=21600.0), 2))

    def test_push(self) -> None:
        """A file by its absolute path, with all options; the job is shown with an arrow."""
        file = self.folder / "a.bin"
        file.write_text("x")
        ended = self.ctl(
            "push", str(file), URL, "--protocol", "tus", "--name", "mine", "-m", "caption=a=b",
            "--checksum", "md5=" + "0" * 32, "-H", "A: b", "-s", "3", "-p", "-2", "--limit", "2MiB",
            "--paused", "--on-change", "fail",
        )  # fmt: skip
        self.assertEqual((ended.code, ended.err), (0, ""))
        self.assertEqual(ended.lines, ["0000000000000001 paused mine"])
        spec = self.jobs.jobs["0000000000000001"].record.spec
        assert spec.push is not None
        self.assertEqual((spec.push.protocol, spec.push.metadata), ("tus", {"caption": "a=b"}))
        self.assertEqual((spec.directory, spec.filename), (str(self.folder), "a.bin"))
        self.assertEqual((spec.segments, spec.priority, spec.rate_limit), (3, -2, 2 << 20))
        self.assertIn("↑ mine", self.ctl("list").out)
        self.assertIn("sent", self.ctl("show", "mine").out)

    def test_push_folder(self) -> None:
        """Each file below a folder, by its name from there on."""
        (self.folder / "sub").mkdir()
        for name in ("a", "sub/b"):
            (self.folder / name).write_text(name)
        ended = self.ctl("push", str(self.folder), URL)
        self.assertEqual((ended.code, ended.err), (0, ""))
        names = {line.split()[2] for line in ended.lines}
        self.assertTrue({"a", "sub/b"} <= names)

    def test_push_of_what_may_not_leave(self) -> None:
        """The daemon's refusal is told."""
        ended = self.ctl("push", "/etc/passwd", URL)
        self.assertNotEqual(ended.code, 0)
        self.assertIn("pushes.directories", ended.err)

    def test_list(self) -> None:
        """Lines of a list become jobs; options of the line win over those of the command."""
        path = self.folder / "list.txt"
        path.write_text("# c\nhttp://a.example/1\n  priority=5\nhttp://a.example/2\n")
        ended = self.ctl("add", "-i", str(path), "-i", "-", "-p", "1", stdin="http://a.example/3\n")
        self.assertEqual((ended.code, len(ended.lines)), (0, 3))
        specs = [job.record.spec for job in self.jobs.jobs.values()]
        self.assertEqual([spec.urls[0][-1] for spec in specs], ["1", "2", "3"])
        self.assertEqual([spec.priority for spec in specs], [5, 1, 1])

    def test_long_list(self) -> None:
        """A list longer than a batch comes in whole and in order."""
        lines = "".join(f"http://a.example/{n}\n" for n in range(250))
        ended = self.ctl("--json", "add", "-i", "-", stdin=lines)
        self.assertEqual(
            [job["urls"][0].rpartition("/")[2] for job in ended.objects], [*map(str, range(250))]
        )

    def test_bad_ones_do_not_hold_up_others(self) -> None:
        """Of a list the refused addresses are told one by one; the others are added."""
        ended = self.ctl("add", "http://a.example/1", "ftp://a.example/2", "http://a.example/3")
        self.assertEqual(ended.code, 7)
        self.assertEqual(len(ended.lines), 2)
        self.assertIn("rangectl: ftp://a.example/2: ", ended.err)
        self.assertEqual(ended.err.count("\n"), 1)

    def test_refused(self) -> None:
        """Input that the daemon refuses ends with 7 and its reason, on one line."""
        for words in (["ftp://x/y"], [URL, "--dir", "../up"], [URL, "--segments", "0"]):
            with self.subTest(" ".join(words)):
                ended = self.ctl("add", *words)
                self.assertEqual((ended.code, ended.out), (7, ""))
                self.assertEqual(ended.err.count("\n"), 1)

    def test_usage(self) -> None:
        """Command lines that mean nothing end with 2 before anything is sent."""
        table = [
            [], ["a", "b", "--name", "n"], ["a", "b", "--mirror", "c"], ["a", "--limit", "fast"],
            ["a", "--header", "nonsense"], ["a", "--wait", "--paused"], ["a", "-i", "/nonexistent"],
            ["a", "--on-conflict", "pray"],
        ]  # fmt: skip
        for words in table:
            with self.subTest(" ".join(words)):
                self.assertEqual(self.ctl("add", *words).code, 2)
        self.assertEqual(self.jobs.jobs, {})

    def test_help_says_what_may_be_left_out(self) -> None:
        """Jobs stand in brackets where a command does without."""
        self.assertIn("list [OPTIONS] [JOB]...", self.ctl("list", "--help").out)
        self.assertIn("pause [OPTIONS] JOB...", self.ctl("pause", "--help").out)

    def test_bad_list(self) -> None:
        """A list with a wrong line adds nothing."""
        ended = self.ctl("add", "-i", "-", stdin="http://a.example/1\n nonsense\n")
        self.assertEqual((ended.code, self.jobs.jobs), (7, {}))
        self.assertIn(":2: ", ended.err)


class LookTests(SiteCase):
    """``list``, ``show``, ``status``, ``segments`` and the others that look."""

    def test_list(self) -> None:
        """Newest first, in columns that no width cuts off in a pipe."""
        name = "n" * 200
        self.add(name=name)
        self.add(
            name="second",
            state=JobState.ACTIVE,
            remembered=Remembered(length=4096),
            covered=IntervalSet.from_pairs([(0, 1024)]),
            live=Live(rate=2048.0),
        )
        ended = self.ctl("list")
        rows = [line.split() for line in ended.lines]
        self.assertEqual(rows[0], ["ID", "STATE", "DONE", "SIZE", "RATE", "LEFT", "NAME"])
        self.assertEqual(
            " ".join(rows[1]), "0000000000000002 active 25 % 4.0 KiB 2.0 KiB/s 0:02 second"
        )
        self.assertEqual(rows[2], ["0000000000000001", "queued", "?", name])

    def test_list_json(self) -> None:
        """The API's page object with everything in it, over as many pages as there are."""
        self.ctl("add", "-i", "-", stdin="".join(f"http://a.example/{n}\n" for n in range(1100)))
        [page] = self.ctl("list", "--json").objects
        self.assertEqual((len(page["jobs"]), page["next"]), (1100, None))
        [page] = self.ctl("--json", "list", "-n", "3").objects
        self.assertEqual([job["urls"][0][-4:] for job in page["jobs"]], ["1099", "1098", "1097"])

    def test_list_filters(self) -> None:
        """By state and by words."""
        first = self.add(name="deb-1", state=JobState.COMPLETE)
        self.add(name="deb-2")
        [page] = self.ctl("list", "--state", "complete", "--json").objects
        self.assertEqual([job["id"] for job in page["jobs"]], [first])
        [page] = self.ctl("list", "*-1", "--json").objects
        self.assertEqual([job["id"] for job in page["jobs"]], [first])
        self.assertEqual(self.ctl("list", "nobody").code, 5)
        self.assertEqual(self.ctl("list", "--state", "bored").code, 2)

    def test_list_empty(self) -> None:
        """No jobs are no error."""
        self.assertEqual((self.ctl("list").code, self.ctl("list").out), (0, "no jobs\n"))

    def test_show(self) -> None:
        """Everything that is known, the error with its address."""
        self.add(
            name="deb",
            state=JobState.FAILED,
            error=JobError("not-found", "the origin answered 404", URL),
            remembered=Remembered(etag='"v1"', length=10 << 20),
        )
        ended = self.ctl("show", "deb")
        facts = dict(line.split(None, 1) for line in ended.lines)
        self.assertEqual(facts["error"].strip(), f"not-found: the origin answered 404 ({URL})")
        self.assertEqual(facts["received"].strip(), "0 B of 10.0 MiB 0 %")
        self.assertEqual((facts["etag"].strip(), facts["url"].strip()), ('"v1"', URL))

    def test_show_json(self) -> None:
        """The job object as the API has it."""
        job_id = self.add(name="deb")
        [shown] = self.ctl("show", job_id, "--json").objects
        [listed] = self.ctl("list", "--json").objects
        self.assertEqual(shown, listed["jobs"][0])

    def test_status(self) -> None:
        """Version, counts and the configuration."""
        self.add()
        out = self.ctl("status").out
        self.assertIn("1 queued", out)
        self.assertIn("/etc/rangedaemon.yaml", out)
        [status] = self.ctl("status", "--json").objects
        self.assertEqual(status["jobs"]["queued"], 1)

    def test_segments(self) -> None:
        """The map and one line for each segment."""
        job_id = self.add(name="deb")
        self.jobs.parts[job_id] = [
            SegmentSnapshot(0, 500, 500, "done", URL),
            SegmentSnapshot(500, 1000, 250, "active", URL),
        ]
        ended = self.ctl("segments", "deb")
        self.assertEqual(ended.lines[0], "█" * 54 + "▒" * 18)
        self.assertEqual(ended.lines[2].split(), ["0", "500", "100", "%", "done", URL])
        self.assertEqual(ended.lines[3].split()[2:4], ["50", "%"])
        [answer] = self.ctl("--json", "segments", job_id).objects
        self.assertEqual(answer["segments"][1]["start"], 500)

    def test_cat_unfinished(self) -> None:
        """What the daemon does not give (yet) ends with its reason."""
        ended = self.ctl("cat", self.add())
        self.assertEqual((ended.code, ended.err.count("\n")), (6, 1))

    def test_metrics(self) -> None:
        """Prometheus' text as it is."""
        self.assertIn("# HELP ", self.ctl("metrics").out)

    def test_terminal_is_safe(self) -> None:
        """Nothing that an origin or a message brings steers the terminal."""
        job_id = self.add(
            state=JobState.FAILED,
            filename="x\x1b]0;owned\x07\u202e.iso",
            error=JobError("bad-response", "\x1b[2J\x9b0m", None),
        )
        for words in (["list"], ["show", job_id], ["watch", job_id]):
            out = self.ctl(*words).out
            self.assertIn("\N{REPLACEMENT CHARACTER}", out)
            self.assertFalse(set(out) & set("\x1b\x07\x9b\u202e"), words)
        self.assertTrue(self.ctl("show", job_id, "--json").out.isascii())


class SteerTests(SiteCase):
    """``pause``, ``resume``, ``retry``, ``remove``, ``set``, ``shutdown``."""

    def test_pause_and_resume(self) -> None:
        """By name and by the start of an id; the new state is printed."""
        job_id = self.add(name="deb")
        ended = self.ctl("pause", "deb")
        self.assertEqual((ended.code, ended.lines), (0, [f"{job_id} paused deb"]))
        self.assertEqual(self.state(job_id), "paused")
        self.assertEqual(self.ctl("resume", job_id[:15]).code, 0)
        self.assertEqual(self.state(job_id), "queued")

    def test_retry(self) -> None:
        """A failed job is queued again; the object is printed where JSON is wanted."""
        job_id = self.add(state=JobState.FAILED)
        [job] = self.ctl("retry", job_id, "--json").objects
        self.assertEqual((job["id"], job["state"]), (job_id, "queued"))

    def test_state_forbids(self) -> None:
        """What the state forbids ends with 6; the other jobs are still done."""
        done = self.add(name="deb-1", state=JobState.COMPLETE)
        other = self.add(name="deb-2")
        ended = self.ctl("pause", "deb-*")
        self.assertEqual(ended.code, 6)
        self.assertEqual((self.state(done), self.state(other)), ("complete", "paused"))
        self.assertEqual(ended.err, "rangectl: deb-1: the job is complete\n")

    def test_nobody(self) -> None:
        """A word that means no job ends with 5 before anything is done."""
        job_id = self.add(name="deb")
        for word in ("devuan", "dev*", "f" * 16):
            self.assertEqual(self.ctl("pause", "deb", word).code, 5)
        self.assertEqual(self.state(job_id), "queued")

    def test_remove(self) -> None:
        """Files stay unless they are to go."""
        kept, gone = self.add(name="a"), self.add(name="b")
        self.assertEqual(self.ctl("remove", "a").lines, [f"{kept} removed a"])
        self.assertEqual(self.ctl("remove", "b", "--delete-files").code, 0)
        self.assertEqual(self.jobs.deleted, [(kept, False), (gone, True)])

    def test_set(self) -> None:
        """Only what is given changes; ``none`` takes a limit away."""
        job_id = self.add(name="deb")
        self.assertEqual(self.ctl("set", "deb", "--limit", "1MB", "-p", "7", "-s", "2").code, 0)
        spec = self.jobs.jobs[job_id].record.spec
        self.assertEqual((spec.rate_limit, spec.priority, spec.segments), (10**6, 7, 2))
        self.assertEqual(self.ctl("set", "deb", "--limit", "none").code, 0)
        spec = self.jobs.jobs[job_id].record.spec
        self.assertEqual((spec.rate_limit, spec.priority), (None, 7))
        self.assertEqual(self.ctl("set", "deb").code, 2)

    def test_set_hours(self) -> None:
        """Addresses, hours and turns, and their end."""
        job_id = self.add(name="deb")
        ended = self.ctl(
            "set", "deb", "--url", "http://a.example/1", "--url", "http://b.example/1", "--at",
            "22:00", "--window", "22:00-06:00", "--every", "6h", "--versions", "2",
        )  # fmt: skip
        self.assertEqual((ended.code, ended.err), (0, ""))
        spec = self.jobs.jobs[job_id].record.spec
        self.assertEqual(spec.urls, ("http://a.example/1", "http://b.example/1"))
        self.assertEqual((spec.start_at, spec.window), ("22:00", "22:00-06:00"))
        self.assertEqual((spec.repeat, spec.versions), (Repeat(every=21600.0), 2))
        self.ctl("set", "deb", "--at", "none", "--window", "none", "--cron", "none")
        spec = self.jobs.jobs[job_id].record.spec
        self.assertEqual((spec.start_at, spec.window, spec.repeat), (None, None, None))

    def test_limits(self) -> None:
        """Shown, and changed by rates, by the hour, or to none; what is not given stays."""
        self.jobs.limits = Limits(5, None)
        self.assertIn("max active", self.ctl("limits").out)
        table = "mon-fri 08:00-18:00 1MiB; default none"
        told = self.ctl("limits", "--limit", table, "--max-active", "2", "--host-limit", "5kB")
        self.assertEqual(told.code, 0, told.err)
        limits = self.jobs.limits
        self.assertEqual((limits.max_active, limits.rate_limit_per_host), (2, 5000))
        self.assertEqual(
            limits.rate_limit, timetable({"mon-fri 08:00-18:00": 1 << 20, "default": None})
        )
        self.assertIn("default none; mon-fri 08:00-18:00 1.0 MiB/s", self.ctl("limits").out)
        shown = json.loads(self.ctl("limits", "--host-limit", "none", "--json").out)
        self.assertEqual((shown["rate_limit_per_host"], shown["max_active"]), (None, 2))
        for wrong in (
            ("--limit", "25:00-26:00 1"),
            ("--limit", "08:00-09:00"),
            ("--max-active", "0"),
        ):
            self.assertEqual(self.ctl("limits", *wrong).code, 2, wrong)

    def test_shutdown(self) -> None:
        """The daemon is asked to stop, once."""
        self.assertEqual(self.ctl("shutdown").code, 0)
        self.assertEqual(len(self.wire.shutdowns), 1)
