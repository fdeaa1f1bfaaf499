"""Tests for `rangedaemon.core.media`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.media import media_type


class MediaTypeTests(SynchronousTestCase):
    """Tests for `media_type`."""

    def test_types(self) -> None:
        """By the last suffix, in any case; text is UTF-8; a coding is a type of its own."""
        for name, wanted in {
            "a.txt": "text/plain; charset=utf-8",
            "A.HTML": "text/html; charset=utf-8",
            "a.css.map": "application/octet-stream",
            "a.tar.gz": "application/gzip",
            "a.iso": "application/vnd.efi.iso",
            "a.mp4": "video/mp4",
            "a.json": "application/json",
            "a.meta4": "application/metalink4+xml",
            "README": "application/octet-stream",
            ".gz": "application/octet-stream",
            "a.": "application/octet-stream",
            "": "application/octet-stream",
        }.items():
            with self.subTest(name=name):
                self.assertEqual(media_type(name), wanted)
