"""Tests for `rangedaemon.core.etags`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.etags import EntityTag, TagList, parse_entity_tag, parse_tag_list

tag_texts = st.text(
    alphabet=st.characters(min_codepoint=0x21, max_codepoint=0xFF).filter(
        lambda c: c != '"' and not "\x7f" <= c < "\x80"
    )
)
tags = st.builds(EntityTag, tag_texts, st.booleans())


class EntityTagTests(SynchronousTestCase):
    """Tests for one tag."""

    def test_comparison(self) -> None:
        """The table of RFC 9110, 8.8.3.2."""
        for one, two, strong, weak in [
            ('W/"1"', 'W/"1"', False, True),
            ('W/"1"', 'W/"2"', False, False),
            ('W/"1"', '"1"', False, True),
            ('"1"', '"1"', True, True),
            ('"1"', '"2"', False, False),
        ]:
            with self.subTest(one=one, two=two):
                a, b = parse_entity_tag(one), parse_entity_tag(two)
                assert a is not None
                assert b is not None
                self.assertEqual((a.strong_equal(b), a.weak_equal(b)), (strong, weak))
                self.assertEqual((b.strong_equal(a), b.weak_equal(a)), (strong, weak))

    @given(tags)
    def test_round_trip(self, tag: EntityTag) -> None:
        """Every tag is read back from its wire form."""
        self.assertEqual(parse_entity_tag(str(tag)), tag)

    def test_not_tags(self) -> None:
        """No quotes, a small w, blanks or control characters inside: no tag."""
        for text in ["", "a", '"', "W/", 'w/"a"', 'W/ "a"', '"a b"', '"a"b"', '"a\x00"', '"\x7f"']:
            with self.subTest(text=text):
                self.assertIsNone(parse_entity_tag(text))

    def test_odd_tags(self) -> None:
        """Nothing in the quotes, and a backslash, are tags; blanks around are dropped."""
        self.assertEqual(parse_entity_tag(' "" '), EntityTag(""))
        self.assertEqual(parse_entity_tag('"a\\"'), EntityTag("a\\"))


class TagListTests(SynchronousTestCase):
    """Tests for lists of tags."""

    @given(st.lists(tags), st.sampled_from([",", ", ", " ,\t", ",,", " , , "]))
    def test_lists(self, wanted: list[EntityTag], comma: str) -> None:
        """Commas inside tags are theirs, empty elements are skipped."""
        text = comma.join(map(str, wanted))
        self.assertEqual(parse_tag_list(text), TagList(tuple(wanted)))

    def test_star(self) -> None:
        """A star stands alone or not at all."""
        self.assertEqual(parse_tag_list(" * "), TagList(anything=True))
        for text in ['*, "a"', '"a", *', "**", '"a" "b"', 'a, "b"', '"a"x', '"a']:
            with self.subTest(text=text):
                self.assertIsNone(parse_tag_list(text))

    def test_membership(self) -> None:
        """If-Match compares strongly, If-None-Match weakly; a star is fulfilled by anything."""
        listed = TagList((EntityTag("a"), EntityTag("b", weak=True)))
        self.assertTrue(listed.has_strong(EntityTag("a")))
        self.assertFalse(listed.has_strong(EntityTag("b")))
        self.assertFalse(listed.has_strong(EntityTag("b", weak=True)))
        self.assertTrue(listed.has_weak(EntityTag("b")))
        self.assertFalse(listed.has_weak(EntityTag("c")))
        self.assertFalse(listed.has_strong(None) or listed.has_weak(None))
        self.assertTrue(TagList(anything=True).has_strong(None))
