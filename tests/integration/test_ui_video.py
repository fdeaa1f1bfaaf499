"""Playing in the page: a finished video, and one that is still downloading."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

from tests.integration.browser import BrowserCase
from tests.integration.nginx import Nginx
from tests.integration.webm import webm

MIB = 1 << 20
SECONDS = 64
NAME = "film.webm"
SLOW = MIB // 2
"""Octets per second: in its turn the end of the film would come after a minute."""
PADDING = {48: 24 * MIB, 63: 8 * MIB}


class VideoTests(BrowserCase):
    """A video with 24 MiB of nothing between two of its seconds, and 8 MiB at its end."""

    nginx: ClassVar[Nginx]

    def setUp(self) -> None:
        super().setUp()
        root = self.make_directory()
        self.film = webm(SECONDS, PADDING)
        (root / NAME).write_bytes(self.film)
        root.chmod(0o755)
        self.server = self.make_nginx(root)
        self.sign_in()

    def add_film(self, **wishes: Any) -> str:
        """The id of a job that fetches the film."""
        job_id: str = self.daemon.api.add(self.server.url(NAME), **wishes)["id"]
        self.addCleanup(self.daemon.api.request, "DELETE", f"/api/v1/jobs/{job_id}?files=delete")
        return job_id

    def play(self, job_id: str) -> None:
        """Open the player and wait until the film's length is known."""
        self.wait_for(
            lambda: self.shown(f"{self.row(job_id)} .job-acts") and "Play" in self.acts(job_id),
            "the film can be played",
        )
        self.press(job_id, "Play")
        self.wait_for(lambda: self.video("readyState") >= 1, "the film's length is known")
        self.assertAlmostEqual(self.video("duration"), SECONDS, 0)

    def acts(self, job_id: str) -> str:
        """What the row offers."""
        return self.shown(f"{self.row(job_id)} .job-acts") or ""

    def video(self, name: str) -> Any:
        """A property of the media element."""
        return self.script("return document.getElementById('video')[arguments[0]]", name)

    def drag_to(self, second: float) -> None:
        """Put the player's slider there, and wait until the picture of that moment is shown."""
        began = time.monotonic()
        self.script("document.getElementById('video').currentTime = arguments[0]", second)
        self.wait_for(
            lambda: not self.video("seeking") and self.video("readyState") >= 2,
            f"the picture at {second} s is there",
        )
        shown = self.video("currentTime")
        self.assertGreater(shown, second - 0.5)
        self.assertLess(shown, second + 0.5 + time.monotonic() - began, "it plays on meanwhile")
        self.assertEqual((self.video("videoWidth"), self.shown("#player-error")), (32, None))

    def test_finished(self) -> None:
        """A finished film plays, and the slider goes anywhere; the token is in no address."""
        job_id = self.add_film()
        self.wait_state(job_id, "complete")
        self.play(job_id)
        self.drag_to(50)
        self.assertNotIn(self.daemon.api.token, self.video("currentSrc"))

    def test_still_downloading(self) -> None:
        """Dragged to a place that is not there yet, that place is fetched first, and shown."""
        job_id = self.add_film(rate_limit=SLOW, segments=1)
        self.wait_state(job_id, "active")
        self.play(job_id)
        self.drag_to(55)
        job = self.daemon.api.job(job_id)
        self.assertEqual(job["state"], "active")
        self.assertLess(job["received"], 16 * MIB, "it came out of turn")
        self.daemon.api.request("PATCH", f"/api/v1/jobs/{job_id}", {"rate_limit": None})
        self.wait_state(job_id, "complete")
        self.assertEqual(Path(job["path"]).read_bytes(), self.film)

    def test_paused_meanwhile(self) -> None:
        """Paused under the player: it is told so, and nothing plays; resumed, it goes on."""
        job_id = self.add_film(rate_limit=SLOW, segments=1)
        self.wait_state(job_id, "active")
        self.play(job_id)
        self.daemon.api.request("POST", f"/api/v1/jobs/{job_id}/pause")
        self.wait_text("#player-error", "Paused: no more of it comes now.")
        self.wait_state(job_id, "paused")
        self.assertNotIn("Play", self.acts(job_id))
        self.daemon.api.request("POST", f"/api/v1/jobs/{job_id}/resume")
        self.wait_for(lambda: self.shown("#player-error") in (None, ""), "the message is gone")
        self.wait_for(lambda: self.video("readyState") >= 1, "the film's length is known again")
        self.drag_to(55)

    def test_gone(self) -> None:
        """A film whose file was taken away is told to be gone, in the daemon's words."""
        job_id = self.add_film()
        self.wait_state(job_id, "complete")
        Path(self.daemon.api.job(job_id)["path"]).unlink()
        self.press(job_id, "Play")
        reply = self.daemon.api.request("GET", f"/api/v1/jobs/{job_id}/content")
        self.assertEqual(reply.status, 404)
        self.wait_text("#player-error", reply.json["detail"])

    def test_no_video(self) -> None:
        """What the browser cannot play is told so; the daemon is not blamed."""
        job = self.fetch(self.path().replace(".bin", ".mp4"), MIB)
        self.wait_state(job["id"], "complete")
        self.press(job["id"], "Play")
        self.wait_text("#player-error", "cannot play this kind of file")
