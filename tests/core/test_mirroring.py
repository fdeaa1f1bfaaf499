"""Tests for `rangedaemon.core.mirroring`: what is wanted of a folder, and what it is called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.jobs import JobRecord, JobSpec, JobState, Login, OnConflict
from rangedaemon.core.mirroring import (
    DEEPEST,
    as_folder,
    is_wanted,
    path_below,
    path_here,
    safe_path,
    settled,
    spec_for,
    wants_folder,
)
from rangedaemon.core.mirrors import MirrorSpec

PATHS = st.lists(st.sampled_from(["a", "A", "a (1)", "b/a", "b/A", "ä", "Ä", "a.x"]), max_size=8)


class AddressTests(SynchronousTestCase):
    """Addresses of folders and files."""

    def test_as_folder(self) -> None:
        """A folder's address ends with a slash, and has no query and no fragment."""
        table = {
            "http://h/a": "http://h/a/",
            "http://h/a/": "http://h/a/",
            "http://h/a?b#c": "http://h/a/",
            "http://h/a/?C=N;O=D": "http://h/a/",
            "http://h": "http://h/",
        }
        self.assertEqual({url: as_folder(url) for url in table}, table)

    def test_path_below(self) -> None:
        """Decoded, and only of what lies below."""
        self.assertEqual(path_below("http://h/a/", "http://h/a/b%20c/%23"), "b c/#")
        self.assertIsNone(path_below("http://h/a/", "http://h/ab"))


class WantedTests(SynchronousTestCase):
    """Patterns and depths."""

    def test_table(self) -> None:
        """Patterns without a slash are of names, others of whole paths; exclude goes first."""
        table: list[tuple[MirrorSpec, str, bool]] = [
            (MirrorSpec(), "a/b.iso", True),
            (MirrorSpec(include=("*.iso",)), "a/b.iso", True),
            (MirrorSpec(include=("*.iso",)), "a/b.txt", False),
            (MirrorSpec(include=("a/*",)), "a/c/b.txt", True),
            (MirrorSpec(include=("a/*",)), "b/a/b.txt", False),
            (MirrorSpec(include=("/a.txt",)), "a.txt", True),
            (MirrorSpec(include=("/a.txt",)), "b/a.txt", False),
            (MirrorSpec(exclude=("old",)), "old/a", False),
            (MirrorSpec(exclude=("old",)), "x/old/a", False),
            (MirrorSpec(exclude=("old",)), "older/a", True),
            (MirrorSpec(exclude=("x/old",)), "old/a", True),
            (MirrorSpec(exclude=("x/old/",)), "x/old/a", False),
            (MirrorSpec(include=("*.iso",), exclude=("a*",)), "ab.iso", False),
            (MirrorSpec(include=("*.ISO",)), "a.iso", False),
            (MirrorSpec(include=("[ab]?.iso",)), "a1.iso", True),
            (MirrorSpec(depth=0), "a", True),
            (MirrorSpec(depth=0), "a/b", False),
            (MirrorSpec(depth=1), "a/b", True),
            (MirrorSpec(depth=1), "a/b/c", False),
        ]
        for spec, path, wanted in table:
            self.assertIs(is_wanted(spec, path), wanted, (spec, path))

    def test_deepest(self) -> None:
        """However deep a mirror may go, it comes to an end."""
        deep = "/".join(["d"] * DEEPEST)
        for depth in (None, 10**6):
            self.assertTrue(wants_folder(MirrorSpec(depth=depth), deep))
            self.assertFalse(wants_folder(MirrorSpec(depth=depth), f"{deep}/d"))


class NameTests(SynchronousTestCase):
    """What files are called here."""

    def test_safe_path(self) -> None:
        """Each name is made safe by itself; none climbs, none vanishes."""
        table = {
            ("a", "b.txt"): "a/b.txt",
            ("..", "x"): "download/x",
            ("a/b", "c\\d"): "b/d",
            (".git", "con"): "git/_con",
            ("a\u202eb", "x:y"): "ab/x_y",
        }
        for names, path in table.items():
            self.assertEqual(safe_path(names), path)

    def test_known_names_stay(self) -> None:
        """A new file gets another name where its own is that of a known one."""
        found = {"http://h/a:b": "a_b", "http://h/c": "c"}
        paths = settled(found, ["a_b", "d/c"], folds=False)
        self.assertEqual(paths, {"http://h/a:b": "a_b (1)", "http://h/c": "c"})

    def test_case(self) -> None:
        """Names that differ by case alone are two where the file system has two."""
        found = {"1": "d/xt_MARK.h", "2": "d/xt_mark.h"}
        self.assertEqual(settled(found, [], folds=False), found)
        self.assertEqual(settled(found, [], folds=True), found | {"2": "d/xt_mark (1).h"})

    @given(PATHS, PATHS, st.booleans())
    def test_each_its_own(self, wished: list[str], taken: list[str], folds: bool) -> None:
        """Whatever is wished for and taken, nobody gets another's place, and all get one."""
        found = {str(number): path for number, path in enumerate(wished)}
        paths = settled(found, taken, folds=folds)
        self.assertEqual(paths.keys(), found.keys())
        keys = [p.casefold() if folds else p for p in [*paths.values(), *set(taken)]]
        mine = keys[: len(paths)]
        self.assertEqual(len(set(mine)), len(mine))
        self.assertFalse(set(mine) & set(keys[len(paths) :]))
        for url, path in paths.items():
            self.assertEqual(path.rpartition("/")[0], found[url].rpartition("/")[0])


class JobTests(SynchronousTestCase):
    """The job of a file."""

    def test_spec_for(self) -> None:
        """It is the mirror's, goes where the path says, and shares what the mirror may say."""
        spec = JobSpec(
            urls=("http://h/pub/",),
            directory="/srv/m",
            headers={"X-Key": "1"},
            logins=(Login("http://h:80", "u", "p"),),
            guarded=False,
            priority=3,
            window="22:00-06:00",
            mirror=MirrorSpec(),
            kind="mirror",
        )
        mirror = JobRecord("0" * 16, spec, JobState.ACTIVE, 0.0)
        child = spec_for(mirror, "http://h/pub/a/b%20c", "a/b c")
        self.assertEqual((child.directory, child.filename), ("/srv/m/a", "b c"))
        self.assertEqual((child.parent, child.kind, child.mirror), (mirror.id, "download", None))
        self.assertEqual((child.headers, child.logins), (spec.headers, spec.logins))
        self.assertEqual((child.guarded, child.priority, child.window), (False, 3, "22:00-06:00"))
        self.assertIs(child.on_conflict, OnConflict.OVERWRITE)
        self.assertIsNone(child.repeat)
        record = JobRecord("1" * 16, child, JobState.QUEUED, 0.0)
        self.assertEqual(path_here(spec, record), "a/b c")
        self.assertEqual(spec_for(mirror, "http://h/pub/a", "a").directory, "/srv/m")
