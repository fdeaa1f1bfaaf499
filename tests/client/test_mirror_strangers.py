"""Tests for `rangedaemon.client.mirror`: odd origins, files that are gone, things in the way."""

from __future__ import annotations

from dataclasses import replace

from rangedaemon.client.mirror import walking
from rangedaemon.core.jobs import Login
from rangedaemon.core.mirrors import MirrorSpec
from tests.client.mirrorworld import ROOT, MirrorCase, S, send_page
from tests.client.scripted import File


class OriginTests(MirrorCase):
    """Origins that mean harm, or are odd."""

    def test_no_way_out(self) -> None:
        """Whatever a page links to, nothing is asked for but what lies below the folder."""
        page = '<a href="/etc/a"><a href="//evil.test/pub/x"><a href="%2e%2e/x"><a href="a">'
        self.listed.instead[""] = lambda exchange: send_page(exchange, page)
        self.start()
        self.assertEqual(list(self.here()), ["a"])
        self.assertEqual({x.url for x in self.world.origin.exchanges}, {ROOT, f"{ROOT}a"})

    def test_credentials(self) -> None:
        """A redirected listing gets no credentials elsewhere, and leads to no files elsewhere."""
        self.listed.instead["sub/"] = "http://other.test/pub/sub/"
        logins = (Login("http://origin.test:80", "u", "p"),)
        self.start(headers={"X-Key": "secret"}, logins=logins)
        for exchange in self.world.origin.exchanges:
            mine = exchange.url.startswith("http://origin.test/")
            self.assertIs(exchange.asked("X-Key") == "secret", mine, exchange.url)
            self.assertIs(exchange.asked("Authorization") is not None, mine, exchange.url)
        files = {x.url for x in self.world.origin.exchanges if not x.url.endswith("/")}
        self.assertTrue(all(url.startswith(ROOT) for url in files), files)

    def test_circle(self) -> None:
        """A folder that holds itself is left after two rounds through it."""
        page = '<a href="a"><a href="self/">'
        for depth in range(40):
            self.listed.instead["self/" * depth] = lambda exchange: send_page(exchange, page)
            self.have("self/" * depth + "a")
        self.start()
        self.assertIs(self.mirror.state, S.COMPLETE)
        self.assertLess(self.counts()["folders"], 5)
        self.assertLess(len(self.here()), 4)

    def test_unreadable_folder(self) -> None:
        """One folder that is refused fails the round, not the others; nothing counts as gone."""
        self.start(delete=True)
        self.listed.instead["sub/"] = 403
        del self.listed.files["a"]
        self.again()
        self.assertIs(self.mirror.state, S.FAILED)
        assert self.mirror.error is not None
        self.assertIn("1 folders could not be had", self.mirror.error.message)
        self.assertEqual(self.counts()["gone"], 1)
        self.assertEqual(len(self.here()), 3)

    def test_no_listing(self) -> None:
        """What is no listing fails the mirror, clearly."""
        self.listed.files[""] = File(b"data")
        self.start()
        self.assertIs(self.mirror.state, S.FAILED)
        assert self.mirror.error is not None
        self.assertIn("no listing of a folder", self.mirror.error.message)

    def test_too_much(self) -> None:
        """More files than anybody has are refused before one is fetched."""
        self.patch(walking, "MOST_FILES", 2)
        self.start()
        self.assertIs(self.mirror.state, S.FAILED)
        self.assertEqual(self.here(), {})


class DeletionTests(MirrorCase):
    """Files that are gone at the origin."""

    def test_kept(self) -> None:
        """Unless it is wished for they stay, and are counted."""
        self.start()
        del self.listed.files["sub/deep/c d"]
        self.again()
        self.assertEqual(self.counts(), {"folders": 2, "found": 2, "unchanged": 2, "gone": 1})
        self.assertEqual(len(self.here()), 3)

    def test_deleted(self) -> None:
        """With ``delete`` they go, with their folders and jobs; strangers' files stay."""
        self.start(delete=True)
        (self.base / "sub" / "mine").write_text("mine")
        del self.listed.files["sub/deep/c d"], self.listed.files["sub/b"]
        self.have("z")
        self.again()
        counts = {"folders": 1, "found": 2, "unchanged": 1, "fetched": 1, "gone": 2, "deleted": 2}
        self.assertEqual(self.counts(), counts)
        self.assertEqual(set(self.here()), {"a", "z", "sub/mine"})
        self.assertFalse((self.base / "sub" / "deep").exists())
        self.assertEqual(set(self.children()), {"a", "z"})

    def test_empty_listing(self) -> None:
        """A folder that holds nothing at all is no proof that all is gone."""
        self.start(delete=True)
        self.listed.files.clear()
        self.again()
        self.assertEqual(self.counts(), {"folders": 1, "gone": 3})
        self.assertEqual(len(self.here()), 3)

    def test_filtered(self) -> None:
        """What is not wanted any more is not gone; other wishes are looked after at once."""
        self.start(delete=True)
        spec = self.mirror.spec
        self.world.result(
            self.runner.rewish(self.id, replace(spec, mirror=MirrorSpec(depth=0, delete=True)))
        )
        self.settle()
        self.assertEqual(self.counts(), {"folders": 1, "found": 1, "unchanged": 1})
        self.assertEqual(len(self.here()), 3)


class PlaceTests(MirrorCase):
    """Links and other things in the way."""

    def test_link_in_the_way(self) -> None:
        """A folder that is a link here leads nothing out, neither what comes nor what goes."""
        outside = self.world.directory / "outside"
        (outside / "deep").mkdir(parents=True)
        self.base.mkdir()
        (self.base / "sub").symlink_to(outside)
        self.start(delete=True)
        self.assertIs(self.mirror.state, S.FAILED)
        self.assertEqual([*outside.rglob("*")], [outside / "deep"])
        self.assertEqual((self.base / "a").read_bytes(), b"a")

    def test_link_that_came_later(self) -> None:
        """Deletion follows no link that took a folder's place."""
        self.start(delete=True)
        outside = self.world.directory / "outside"
        (self.base / "sub").rename(outside)
        (self.base / "sub").symlink_to(outside)
        del self.listed.files["sub/b"], self.listed.files["sub/deep/c d"]
        self.again()
        self.assertEqual((outside / "b").read_bytes(), b"sub/b")
        self.assertEqual((outside / "deep" / "c d").read_bytes(), b"sub/deep/c d")
        self.assertNotIn("deleted", self.counts())

    def test_names_that_meet(self) -> None:
        """Names that are made the same are told apart, for ever."""
        self.listed.files.clear()
        self.have("x:y", "x?y")
        self.start()
        first = self.here()
        self.assertEqual(set(first), {"x_y", "x_y (1)"})
        self.assertEqual(set(first.values()), {b"x:y", b"x?y"})
        self.again()
        self.assertEqual((self.here(), self.counts()["unchanged"]), (first, 2))
