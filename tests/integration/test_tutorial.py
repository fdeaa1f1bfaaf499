"""A newcomer follows the tutorial."""

from __future__ import annotations

import pytest

from tests.integration.checkout import CheckoutCase
from tests.integration.console import Page
from tests.integration.daemon import ROOT


class TutorialTests(CheckoutCase):
    """``docs/tutorial.rst`` in a checkout where everything is installed."""

    def test_can_fail(self) -> None:
        """A command that fails, and one that prints something else, are found."""
        for block in ("$ false", "$ echo two\n    one\n    two", "$ exit 1", "$ echo 1\n    2"):
            file = self.place / "page.rst"
            file.write_text(f".. code-block:: console\n\n    {block}\n")
            page = Page(file, self.place)
            self.addCleanup(page.close)
            self.assertRaises(AssertionError, page.follow)

    @pytest.mark.timeout(900)
    def test_followed(self) -> None:
        """Every line does what the page says; Ctrl-C ends it."""
        page = Page(ROOT / "docs/tutorial.rst", self.place, self.ports)
        self.addCleanup(page.close)
        page.follow(goes_on="make run")
        assert page.foreground is not None
        log = page.foreground.interrupt("Server Shut Down.")
        self.assertNotIn("Traceback", log)
        self.assertNotIn("#debug", log)
