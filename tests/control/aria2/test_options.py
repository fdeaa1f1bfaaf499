"""Tests for `rangedaemon.control.aria2.options`: aria2's options and ours."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.aria2.envelope import RpcError
from rangedaemon.control.aria2.options import Defaults, change_of, limits_of, options_of, spec_of
from rangedaemon.core.jobs import JobSpec, Limits, OnConflict
from rangedaemon.errors import OutsideDirectory

DEFAULTS = Defaults("/d", segments=8)


def spec(**options: Any) -> JobSpec:
    """The job of an ``addUri`` with these options (``_`` for ``-``)."""
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return spec_of(["http://h/a"], named, DEFAULTS)


class SpecTests(SynchronousTestCase):
    """Tests for `spec_of`."""

    def test_defaults(self) -> None:
        """Without options: what is configured."""
        plain = spec()
        self.assertEqual((plain.directory, plain.filename, plain.segments), ("/d", None, 8))
        self.assertEqual((plain.on_conflict, plain.paused), (OnConflict.RENAME, False))

    def test_place(self) -> None:
        """``dir`` and ``out``, which may hold directories."""
        for options, place in (
            ({"dir": "/d/x"}, ("/d/x", None)),
            ({"dir": "x", "out": "b.iso"}, ("/d/x", "b.iso")),
            ({"out": "y/b.iso"}, ("/d/y", "b.iso")),
            ({"dir": "", "out": ""}, ("/d", None)),
        ):
            made = spec(**options)
            self.assertEqual((made.directory, made.filename), place)

    def test_outside(self) -> None:
        """aria2 lets RPC write anywhere; here it does not."""
        for options in ({"dir": "/etc"}, {"out": "../x"}, {"out": "/etc/x"}, {"dir": "a/../.."}):
            self.assertRaises(OutsideDirectory, lambda given=options: spec(**given))

    def test_numbers(self) -> None:
        """Strings, scalars, units; connections are the lesser of both options."""
        for options, segments in (
            ({"split": "4"}, 4), ({"split": 4}, 4), ({"split": "500"}, 128),
            ({"split": "16", "max_connection_per_server": "2"}, 2),
            ({"max_connection_per_server": "3"}, 3),
        ):  # fmt: skip
            self.assertEqual(spec(**options).segments, segments)
        for text, limit in (("500K", 512000), ("1m", 1048576), ("0", None), (7, 7)):
            self.assertEqual(spec(max_download_limit=text).rate_limit, limit)

    def test_conflict(self) -> None:
        """aria2's two switches are one policy."""
        for options, policy in (
            ({"allow_overwrite": "true"}, OnConflict.OVERWRITE),
            ({"allow_overwrite": True, "auto_file_renaming": False}, OnConflict.OVERWRITE),
            ({"auto_file_renaming": "false"}, OnConflict.FAIL),
            ({"auto_file_renaming": "true"}, OnConflict.RENAME),
        ):
            self.assertEqual(spec(**options).on_conflict, policy)

    def test_headers(self) -> None:
        """Lists and lines of fields, and the options that are fields."""
        made = spec(
            header=["A: 1", "B:2"], user_agent="me", referer="http://r/", http_user="u",
            http_passwd="p",
        )  # fmt: skip
        self.assertEqual(
            made.headers,
            {"A": "1", "B": "2", "User-Agent": "me", "Referer": "http://r/",
             "Authorization": "Basic dTpw"},
        )  # fmt: skip
        self.assertEqual(spec(header="A: 1\nB: 2").headers, {"A": "1", "B": "2"})

    def test_bad_values(self) -> None:
        """A value that cannot be is an error that names the option, never the value."""
        for options, name in (
            ({"split": "many"}, "split"), ({"split": "0"}, "split"), ({"split": ""}, "split"),
            ({"max_download_limit": "fast"}, "max-download-limit"),
            ({"lowest_speed_limit": "fast"}, "lowest-speed-limit"),
            ({"pause": "maybe"}, "pause"), ({"header": ["secret"]}, "header"),
            ({"header": ["A: secret\x00"]}, "header"), ({"header": "Range: bytes=0-"}, "header"),
            ({"checksum": "md5=secret"}, "checksum"), ({"out": "a\x00"}, "out"),
            ({"out": "x/.."}, "out"), ({"dir": "\x01"}, "dir"),
        ):  # fmt: skip
            with self.subTest(options=options):
                try:
                    error = self.assertRaises(RpcError, lambda given=options: spec(**given))
                except OutsideDirectory:
                    self.assertEqual(options, {"out": "x/.."})
                    continue
                self.assertIn(f"'--{name}'", error.message)
                self.assertNotIn("secret", error.message)

    def test_unknown(self) -> None:
        """What is not known, or has no text form, is passed over."""
        self.assertEqual(spec(bt_tracker="x", colour=None, select_file={"a": 1}), spec())

    @given(
        st.dictionaries(
            st.sampled_from(["dir", "out", "split", "header", "checksum", "pause", "http-user"]),
            st.text() | st.integers() | st.lists(st.text()) | st.none() | st.booleans(),
        )
    )
    def test_any_values(self, options: dict[str, Any]) -> None:
        """Any values make a job below the directory, or an error of ours."""
        try:
            made = spec_of(["http://h/"], options, DEFAULTS)
        except (RpcError, OutsideDirectory):
            return
        self.assertTrue(made.directory == "/d" or made.directory.startswith("/d/"))


class RoundTripTests(SynchronousTestCase):
    """Tests for `options_of` and `change_of`."""

    def test_own_options_are_taken_again(self) -> None:
        """A client that retries sends back what it was told."""
        made = spec(dir="x", out="b", split="3", max_download_limit="9", auto_file_renaming="false")
        self.assertEqual(spec_of(["http://h/a"], options_of(made), DEFAULTS), made)

    def test_no_secrets(self) -> None:
        """Fields are not told: they may be credentials."""
        made = spec(header=["Cookie: secret"], http_user="u", http_passwd="secret")
        self.assertNotIn("secret", str(options_of(made)))

    def test_lowest_speed(self) -> None:
        """The floor of a job, as aria2 says it: 0 is none."""
        made = spec(lowest_speed_limit="10K")
        self.assertEqual((made.lowest_speed, spec().lowest_speed), (10240, None))
        self.assertEqual(options_of(made)["lowest-speed-limit"], "10240")
        change = change_of({"lowest-speed-limit": "0"}, made, DEFAULTS)
        self.assertEqual(change.lowest_speed, 0)
        self.assertIsNone(change_of({"split": "2"}, made, DEFAULTS).lowest_speed)

    def test_change(self) -> None:
        """Limits and connections change; what is proved is refused, not passed over."""
        change = change_of({"max-download-limit": "0", "split": "2"}, spec(), DEFAULTS)
        self.assertEqual((change.segments, change.rate_limit, change.set_rate_limit),
                         (2, None, True))  # fmt: skip
        self.assertFalse(change_of({"split": "2"}, spec(), DEFAULTS).set_rate_limit)
        self.assertRaises(RpcError, change_of, {"checksum": "md5=x"}, spec(), DEFAULTS)

    def test_change_place(self) -> None:
        """A new name stays in the job's directory, a new directory below ours; the same is none."""
        for options, directory, filename in (
            ({"dir": "/d/y"}, "/d/y", None),
            ({"out": "c"}, None, "c"),
            ({"out": "z/c"}, "/d/x/z", "c"),
            ({"dir": "y", "out": "z/c"}, "/d/y/z", "c"),
            ({"dir": "/d/x", "out": "b"}, None, None),
            ({"dir": ""}, None, None),
        ):
            change = change_of(options, spec(dir="x", out="b"), DEFAULTS)
            self.assertEqual((change.directory, change.filename), (directory, filename), options)
        self.assertRaises(OutsideDirectory, change_of, {"dir": "/etc"}, spec(), DEFAULTS)

    def test_change_fields(self) -> None:
        """New fields come in place of all that there were; none given, none changed."""
        change = change_of({"header": ["A: 1"]}, spec(header=["B: 2"]), DEFAULTS)
        self.assertEqual(change.headers, {"A": "1"})
        self.assertIsNone(change_of({"split": "2"}, spec(header=["B: 2"]), DEFAULTS).headers)

    def test_limits(self) -> None:
        """The two limits that can be changed; 0 is none, what is not named stays."""
        present = Limits(5, 1000)
        for options, limits in (
            ({}, present),
            ({"max-concurrent-downloads": "2"}, Limits(2, 1000)),
            ({"max-overall-download-limit": "1M"}, Limits(5, 1048576)),
            ({"max-overall-download-limit": "0"}, Limits(5, None)),
        ):
            self.assertEqual(limits_of(options, present), limits)
        for bad in ({"max-concurrent-downloads": "0"}, {"max-overall-download-limit": "x"}):
            self.assertRaises(RpcError, limits_of, bad, present)

    def test_gid(self) -> None:
        """A client may choose the GID: 16 hexadecimal digits, not all zero."""
        self.assertEqual(spec(gid="00000000000000FF").id, "00000000000000ff")
        self.assertIsNone(spec().id)
        for bad in ("", "ff", "0" * 16, "g" * 16, "0" * 17):
            self.assertRaises(RpcError, spec, gid=bad)
