"""What a finished file is called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.naming import choose_name

ADDRESS = "http://origin.test/dir/from-url.bin?query=1"


class ChooseNameTests(SynchronousTestCase):
    """First the wish, then the origin's word, then the address."""

    def test_table(self) -> None:
        """Who decides, and what happens where they say nothing usable."""
        for wished, disposition, expected in (
            ("wished.bin", 'attachment; filename="told.bin"', "wished.bin"),
            (None, 'attachment; filename="told.bin"', "told.bin"),
            (None, "attachment; filename*=UTF-8''t%C3%B6ld.bin", "töld.bin"),
            (None, "attachment", "from-url.bin"),
            (None, "", "from-url.bin"),
            (None, None, "from-url.bin"),
            ("", None, "from-url.bin"),
        ):
            with self.subTest(wished=wished, disposition=disposition):
                self.assertEqual(choose_name(wished, disposition, ADDRESS), expected)

    @given(st.none() | st.text(), st.none() | st.text(), st.text())
    def test_always_a_name_of_one_part(
        self, wished: str | None, disposition: str | None, path: str
    ) -> None:
        """Whatever anybody says, it is one name below the directory."""
        name = choose_name(wished, disposition, f"http://origin.test/{path}")
        self.assertNotIn(name, ("", ".", ".."))
        self.assertNotIn("/", name)
        self.assertNotIn("\0", name)
        self.assertLessEqual(len(name.encode("utf-8", "surrogatepass")), 255)
