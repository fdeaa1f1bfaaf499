"""Tests for `rangedaemon.core.links`: duplicates and descriptions that an answer names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.acceptance import Answer
from rangedaemon.core.links import MOST_LINKS, duplicates_of, fetchable, parse_links

BASE = "https://origin.test/dir/file.bin"
DIGEST = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"


def targets(text: str) -> list[str]:
    """Where the links lead."""
    return [link.target for link in parse_links(text, BASE)]


class ParseTests(SynchronousTestCase):
    """The grammar of RFC 8288."""

    def test_parameters(self) -> None:
        """Names in any case, values bare or quoted, with or without blanks."""
        text = '<http://a.test/f>; Rel = "Duplicate  other" ;PRI=2;pref ; geo="d\\"e"'
        (link,) = parse_links(text, BASE)
        self.assertEqual(link.relations, {"duplicate", "other"})
        self.assertEqual(link.priority, 2)
        self.assertEqual(
            link.parameters, {"rel": "Duplicate  other", "pri": "2", "pref": "", "geo": 'd"e'}
        )

    def test_several(self) -> None:
        """Commas in addresses and in quotes separate nothing."""
        text = '<http://a.test/a,b>; rel=x; title="1, 2",, <./c;d>;rel=y , <?q>; rel=z'
        self.assertEqual(
            targets(text),
            ["http://a.test/a,b", "https://origin.test/dir/c;d", f"{BASE}?q"],
        )

    def test_first_rel_counts(self) -> None:
        """A second ``rel`` says nothing (3.3)."""
        (link,) = parse_links("<x>; rel=one; rel=duplicate", BASE)
        self.assertEqual(link.relations, {"one"})

    def test_passed_over(self) -> None:
        """With an anchor, without a relation, with an address that nobody fetches."""
        table = (
            '<x>; rel=duplicate; anchor="#y"',
            "<x>",
            "<ftp://a.test/x>; rel=duplicate",
            "<http://>; rel=duplicate",
            "<http://a.test:0/>; rel=duplicate",
            "<http://a.test:99999999/>; rel=duplicate",
            "<http://[a.test/>; rel=duplicate",
            "<http://a.test/\xe9>; rel=duplicate",
            "<javascript:x>; rel=duplicate",
        )
        for text in table:
            self.assertEqual(targets(text), [], text)

    def test_broken_field(self) -> None:
        """What stands before the broken place is kept."""
        self.assertEqual(
            targets("<http://a.test/>; rel=x nonsense, <y>; rel=x"), ["http://a.test/"]
        )
        self.assertEqual(targets("nonsense <http://a.test/>; rel=x"), [])

    def test_bounded(self) -> None:
        """Thousands of links are not read."""
        text = ", ".join(f"<http://a.test/{n}>; rel=x" for n in range(10_000))
        self.assertEqual(len(targets(text)), MOST_LINKS)

    @given(st.text(st.characters(max_codepoint=0x100) | st.sampled_from('<>;,="\\ relduplicate')))
    def test_any_text(self, text: str) -> None:
        """Whatever a peer sends, targets are absolute http addresses."""
        for link in parse_links(text, BASE):
            self.assertTrue(link.target.startswith(("http://", "https://")))
            self.assertTrue(1 <= link.priority <= 999_999)

    @given(st.text())
    def test_any_target(self, text: str) -> None:
        """A target is an address of ASCII without blanks, or none."""
        target = fetchable(text, BASE)
        self.assertTrue(target is None or (target.isascii() and " " not in target))


class DuplicatesTests(SynchronousTestCase):
    """Mirrors by RFC 6249."""

    LINKS = (
        "<http://slow.test/f>; rel=duplicate, <http://b.test/f>; rel=duplicate; pri=2,"
        "<http://a.test/f>; rel=duplicate; pri=1, <http://p.test/f>; rel=duplicate; pri=2; pref,"
        "<http://a.test/f>; rel=duplicate; pri=9, <http://d.test/f>; rel=describedby,"
        f"<{BASE}>; rel=duplicate"
    )

    def test_order(self) -> None:
        """Lower ``pri`` first, then those that share the origin's tags; each only once."""
        answer = Answer(200, BASE, repr_digest=DIGEST, links=self.LINKS)
        self.assertEqual(
            duplicates_of(answer),
            ["http://a.test/f", "http://p.test/f", "http://b.test/f", "http://slow.test/f"],
        )

    def test_nothing_without_digest(self) -> None:
        """Such links must be ignored where nothing proves the octets (RFC 6249, 6)."""
        md5 = "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:"
        for digest in (None, md5):
            answer = Answer(200, BASE, repr_digest=digest, links=self.LINKS)
            self.assertEqual(duplicates_of(answer), [])
