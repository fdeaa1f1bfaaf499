"""The web page in a real browser, against a real daemon and a hostile origin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from selenium.webdriver.common.keys import Keys

from tests.hostile.content import digest
from tests.integration.browser import PHONE, BrowserCase

MIB = 1 << 20


class SteeringTests(BrowserCase):
    """What people do with downloads, and what they see of it."""

    def setUp(self) -> None:
        super().setUp()
        self.sign_in()

    def slow(self, **wishes: Any) -> str:
        """The id of a job that takes long enough to be watched."""
        job_id: str = self.add(self.path(), 60 * MIB, rate_limit=MIB, **wishes)["id"]
        self.addCleanup(self.daemon.api.request, "DELETE", f"/api/v1/jobs/{job_id}?files=delete")
        self.wait_state(job_id, "active")
        return job_id

    def ids(self) -> list[str]:
        """Of all jobs; what else they tell may change at any time."""
        return [job["id"] for job in self.daemon.api.jobs()]

    def test_add_and_watch(self) -> None:
        """Many addresses at once become downloads, which are watched to their end."""
        names = [f"{self._testMethodName}-{number}.bin" for number in range(3)]
        lines = "\n".join(self.origin.url(f"/{name}?size=2MiB") for name in names)
        self.click("#add-open")
        self.fill("#addresses", f"{lines}\n\n# a comment\n")
        self.assertEqual(self.find("#add-go").text, "Add 3 downloads")
        self.click("#add-go")
        self.wait_text("#notices", "3 downloads added.")
        jobs = {job["filename"] or job["urls"][0]: job for job in self.daemon.api.jobs()[:3]}
        self.assertEqual(len(jobs), 3)
        for job in jobs.values():
            self.wait_state(job["id"], "complete")
            done = self.daemon.api.job(job["id"])
            self.assertIn(done["filename"], names)
            self.assert_file(done["path"], 1, 2 * MIB)
            self.assertIn("2.00 MiB", self.shown(f"{self.row(job['id'])} .facts") or "")

    def test_wrong_line(self) -> None:
        """A wrong address is named by its line, and nothing is added."""
        before = self.ids()
        self.click("#add-open")
        self.fill("#addresses", f"{self.origin.url('/fine.bin')}\nftp://example.org/x")
        self.click("#add-go")
        said = self.wait_text("#add-errors", "Line 2")
        self.assertIn("only http and https", said)
        self.assertEqual(self.ids(), before)

    def test_options(self) -> None:
        """The wishes of the form reach the daemon."""
        url = self.origin.url(f"{self.path()}?size=1MiB")
        self.click("#add-open")
        self.fill("#addresses", url)
        self.script("document.getElementById('options').open = true")
        for selector, text in {
            "#directory": "below/it", "#filename": "named.bin", "#add-segments": "3",
            "#add-priority": "-2", "#add-limit": "500 KiB", "#fields": "X-Wish: granted",
            "#checksum": f"sha-256={digest(1, MIB).hex()}",
        }.items():  # fmt: skip
            self.fill(selector, text)
        self.click("#paused")
        self.click("#add-go")
        self.wait_text("#notices", "Added.")
        [job] = [job for job in self.daemon.api.jobs() if job["urls"] == [url]]
        told = {key: job[key] for key in ("state", "segments", "priority", "rate_limit")}
        self.assertEqual(
            told, {"state": "paused", "segments": 3, "priority": -2, "rate_limit": 500 << 10}
        )
        self.assertTrue(job["path"].endswith("/below/it/named.bin"), job["path"])
        self.wait_state(job["id"], "paused")
        self.press(job["id"], "Resume")
        self.wait_state(job["id"], "complete")
        [first, *_] = self.origin.ledger.of(self.path())
        self.assertEqual(first.fields["x-wish"], "granted")
        self.assertEqual(self.daemon.api.job(job["id"])["verified"], "checksum")

    def test_metalink(self) -> None:
        """A Metalink file gives the addresses of one file, best first, its name and checksum."""
        name = f"{self._testMethodName}.bin"
        best, other = (self.origin.url(f"/{at}/{name}?size=1MiB") for at in ("nokeep", "closed"))
        sha = digest(1, MIB).hex()
        document = self.make_directory() / "files.meta4"
        document.write_text(
            '<?xml version="1.0"?><metalink xmlns="urn:ietf:params:xml:ns:metalink">'
            f'<file name="{name}"><size>{MIB}</size><hash type="sha-1">{"0" * 40}</hash>'
            f'<hash type="sha-256">{sha}</hash><url priority="2">{other}</url>'
            f'<url>ftp://example.org/x</url><url priority="1">{best}</url></file></metalink>'
        )
        self.click("#add-open")
        self.find("#file").send_keys(str(document))
        self.wait_text("#from-metalink", f"{name} · 1.00 MiB · 2 mirrors · sha-256")
        self.click("#add-go")
        self.wait_text("#notices", "Added.")
        [job] = [job for job in self.daemon.api.jobs() if job["filename"] == name]
        self.assertEqual((job["urls"], job["checksum"]), ([best, other], f"sha-256={sha}"))
        self.wait_state(job["id"], "complete")

    def test_pause_resume(self) -> None:
        """Paused it stands still and keeps what it has; resumed it goes on from there."""
        job_id = self.slow()
        self.wait_text(f"{self.row(job_id)} .facts", "left")
        self.press(job_id, "Pause")
        self.wait_state(job_id, "paused")
        kept = self.daemon.api.job(job_id)["received"]
        self.assertGreater(kept, 0)
        bar = f"{self.row(job_id)} [role=progressbar]"
        percent = str(100 * kept // (60 * MIB))
        self.wait_for(
            lambda: self.find(bar).get_attribute("aria-valuenow") == percent, f"{percent} %"
        )
        self.press(job_id, "Resume")
        self.wait_state(job_id, "active")
        self.assertGreaterEqual(self.daemon.api.job(job_id)["received"], kept)
        self.daemon.api.request("PATCH", f"/api/v1/jobs/{job_id}", {"rate_limit": None})
        self.wait_state(job_id, "complete")
        self.assert_file(self.daemon.api.job(job_id)["path"], 1, 60 * MIB)

    def test_change(self) -> None:
        """Priority and limit are changed while it runs; wrong ones are told at the form."""
        job_id = self.slow()
        self.click(f"{self.row(job_id)} .job-name")
        self.fill(f"#priority-{job_id}", "7")
        self.fill(f"#limit-{job_id}", "many")
        self.click(f"{self.row(job_id)} .wishes button")
        self.wait_text(f"{self.row(job_id)} .wishes .wrong", "500 KiB")
        self.fill(f"#limit-{job_id}", "3 MiB")
        self.click(f"{self.row(job_id)} .wishes button")
        self.wait_text(f"{self.row(job_id)} .facts", "priority 7 · at most 3.00 MiB/s")
        job = self.daemon.api.job(job_id)
        self.assertEqual((job["priority"], job["rate_limit"]), (7, 3 * MIB))

    def test_map(self) -> None:
        """The map shows who fetches what while octets come, and all of it at the end."""
        job_id = self.slow()
        self.click(f"{self.row(job_id)} .job-name")
        self.wait_text(f"{self.row(job_id)} .map-legend", f"127.0.0.1:{self.origin.port}")
        for kind in ("active", "fetched"):
            place = f"{self.row(job_id)} .map-{kind}"
            self.wait_for(lambda place=place: len(self.all(place)) >= 2, f"{place} is drawn")
        self.daemon.api.request("PATCH", f"/api/v1/jobs/{job_id}", {"rate_limit": None})
        self.wait_state(job_id, "complete")
        self.wait_for(
            lambda: not self.all(f"{self.row(job_id)} .map-active"), "nothing is fetched any more"
        )
        self.wait_for(lambda: round(self.drawn(job_id)) == 1000, "all of it is drawn")

    def drawn(self, job_id: str) -> float:
        """How much of the map's 1000 is done."""
        done = self.all(f"{self.row(job_id)} .map-done")
        return sum(float(str(rect.get_attribute("width"))) for rect in done)

    def test_error(self) -> None:
        """A failed download says what happened and what to do; trying again is offered."""
        path = self.path("status=404~first1")
        job = self.fetch_failing(path)
        self.wait_state(job["id"], "failed")
        said = self.wait_text(f"{self.row(job['id'])} .error", "The server has no such file.")
        self.assertIn("Check the address", said)
        self.press(job["id"], "Try again")
        self.wait_state(job["id"], "complete")
        self.assertIsNone(self.shown(f"{self.row(job['id'])} .error"))

    def test_refusal(self) -> None:
        """A request that the daemon refuses is told in the daemon's words."""
        job = self.fetch(self.path(), MIB)
        self.wait_state(job["id"], "complete")
        said = self.module(
            """const { steer } = await import("/ui/api.js");
            const { attempt } = await import("/ui/notices.js");
            await attempt("Pausing", () => steer(args[0], "pause"));
            return document.getElementById("notices").textContent;""",
            job["id"],
        )
        self.assertIn("Pausing: ", said)
        self.assertIn("complete", said)

    def test_remove(self) -> None:
        """Removed with its file, both are gone; the focus stays in the list's neighbourhood."""
        kept, gone = self.fetch(self.path(), MIB), self.add(self.path("nokeep"), MIB)
        gone = self.daemon.api.wait_for(gone["id"], "complete")
        for job, button in ((gone, "#remove-all"), (kept, "#remove-keep")):
            self.wait_state(job["id"], "complete")
            self.press(job["id"], "Remove")
            self.click(button)
            self.wait_for(lambda job=job: not self.all(self.row(job["id"])), "the row is gone")
            self.assertEqual(
                self.daemon.api.request("GET", f"/api/v1/jobs/{job['id']}").status, 404
            )
        self.assertEqual((Path(gone["path"]).exists(), Path(kept["path"]).exists()), (False, True))

    def test_order(self) -> None:
        """The newest is first, also among those that were added at one moment."""
        wished = [{"url": f"http://127.0.0.1:1/{n}", "paused": True} for n in range(20)]
        added = self.daemon.api.request("POST", "/api/v1/jobs", wished).json["jobs"]
        ids = [job["id"] for job in reversed(added)]
        self.wait_for(lambda: self.shown_ids()[:20] == ids, "they are in that order")
        self.browser.refresh()
        self.wait_for(lambda: self.shown_ids()[:20] == ids, "they are so when asked for, too")

    def shown_ids(self) -> list[str]:
        """The jobs from the top down."""
        rows = "return [...document.querySelectorAll('.job')].map((row) => row.dataset.id)"
        shown: list[str] = self.script(rows)
        return shown

    def test_filters(self) -> None:
        """Filters and the search leave what fits."""
        done = self.fetch(self.path(), MIB)
        paused = self.add(self.path("nokeep"), MIB, paused=True)
        for job, state in ((done, "complete"), (paused, "paused")):
            self.wait_state(job["id"], state)
        for selector, shows, hides in (
            ("#filters button:nth-child(4)", paused, done),
            ("#filters button:nth-child(6)", done, paused),
        ):
            self.click(selector)
            self.wait_for(lambda hides=hides: not self.all(self.row(hides["id"])), "it is hidden")
            self.assertTrue(self.all(self.row(shows["id"])))
        self.click("#filters button:nth-child(1)")
        self.fill("#search", "no such name")
        self.wait_text("#empty", "Nothing here fits.")

    def test_keyboard(self) -> None:
        """Keys move, pause, resume, open and remove; those of one character can be turned off."""
        job_id = self.slow()
        body = self.find("body")
        body.send_keys("j")
        focused = self.browser.switch_to.active_element
        self.assertEqual(focused.get_attribute("class"), "job-name")
        focused.send_keys("p")
        self.wait_state(job_id, "paused")
        focused.send_keys("p")
        self.wait_state(job_id, "active")
        focused.send_keys(Keys.ENTER)
        self.wait_text(f"{self.row(job_id)} .details", "Priority")
        focused.send_keys(Keys.DELETE)
        self.wait_text("#remove", "Remove and delete its file")
        self.browser.switch_to.active_element.send_keys(Keys.ESCAPE)
        self.wait_for(lambda: self.shown("#remove") is None, "the dialog is closed")
        self.find("body").send_keys("?")
        self.click("#single-keys")
        self.browser.switch_to.active_element.send_keys(Keys.ESCAPE)
        self.addCleanup(self.script, "localStorage.clear()")
        self.find("body").send_keys("a")
        self.assertIsNone(self.shown("#add"))

    def test_themes(self) -> None:
        """Dark and light follow the system until one is chosen, which outlives a reload."""
        self.addCleanup(self.script, "localStorage.clear()")
        self.addCleanup(self.browser.execute_cdp_cmd, "Emulation.setEmulatedMedia", {})
        paper = "return getComputedStyle(document.documentElement).backgroundColor"
        seen = {}
        for scheme in ("light", "dark"):
            feature = {"name": "prefers-color-scheme", "value": scheme}
            self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
            seen[scheme] = self.script(paper)
        self.assertNotEqual(seen["light"], seen["dark"])
        self.click("#theme")
        self.assertEqual(self.script(paper), seen["light"])
        self.browser.refresh()
        self.wait_text("#link", "Live")
        self.assertEqual(
            (self.find("#theme").text, self.script(paper)), ("Theme: light", seen["light"])
        )

    def test_phone(self) -> None:
        """At a phone's width nothing is cut off or has to be scrolled sideways."""
        job = self.fetch_failing(self.path("status=404"), name="name-without-end-" * 8)
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
        self.addCleanup(self.browser.execute_cdp_cmd, "Emulation.clearDeviceMetricsOverride", {})
        self.wait_state(job["id"], "failed")
        self.click(f"{self.row(job['id'])} .job-name")
        self.wait_text(f"{self.row(job['id'])} .details", "Address")
        wide = """return [...document.querySelectorAll("#page *")].filter(
                (at) => at.getBoundingClientRect().right > innerWidth + 1)
            .filter((at) => !at.closest("svg, .unseen")).map((at) => at.outerHTML.slice(0, 80))"""
        self.assertEqual(self.script(wide), [])
        self.assertEqual(self.script("return document.documentElement.scrollWidth"), PHONE["width"])

    def test_own_requests_only(self) -> None:
        """Everything that the page asked for is of this daemon."""
        names = self.script("return performance.getEntriesByType('resource').map((at) => at.name)")
        self.assertGreater(len(names), 15)
        foreign = [name for name in names if not name.startswith(self.page.removesuffix("ui/"))]
        self.assertEqual(foreign, [])
