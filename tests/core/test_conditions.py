"""The ladder of conditions (RFC 9110 13.1.5)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.conditions import condition, ladder
from rangedaemon.core.jobs import Remembered

DATED = "Sun, 06 Nov 1994 08:49:37 GMT"
LATER = "Sun, 06 Nov 1994 09:49:37 GMT"


class LadderTests(SynchronousTestCase):
    """Only strong validators, the tag before the date, at last nothing."""

    def test_table(self) -> None:
        """What an origin said, and what is tried."""
        for said, expected in (
            (Remembered(), [None]),
            (Remembered(etag='"a"'), ['"a"', None]),
            (Remembered(etag='W/"a"'), [None]),
            (Remembered(etag="a"), [None]),
            (Remembered(last_modified=DATED, date=LATER), [DATED, None]),
            (Remembered(last_modified=DATED), [None]),
            (Remembered(last_modified=DATED, date=DATED), [None]),
            (Remembered(etag='"a"', last_modified=DATED, date=LATER), ['"a"', DATED, None]),
            (Remembered(etag='"a"', last_modified=DATED, date=DATED), ['"a"', None]),
            (Remembered(etag='W/"a"', last_modified=DATED, date=LATER), [None]),
            (Remembered(etag="a", last_modified=DATED, date=LATER), [None]),
        ):
            with self.subTest(said=said):
                self.assertEqual(ladder(said), expected)

    def test_condition(self) -> None:
        """Fruitless rungs are left out; the last is never left."""
        said = Remembered(etag='"a"', last_modified=DATED, date=LATER)
        tried = [condition(said, fruitless) for fruitless in range(5)]
        self.assertEqual(tried, ['"a"', DATED, None, None, None])
