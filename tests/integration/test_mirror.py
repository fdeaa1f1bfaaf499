"""Mirrors of folders that real servers list."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.integration.api import Job
from tests.integration.case import FAST_RETRY, IntegrationCase
from tests.integration.daemon import environment
from tests.integration.ports import accepts, free_port
from tests.integration.rangectl_case import RANGECTL
from tests.integration.waiting import PATIENCE, until

TREE = {"a.txt": b"first", "b c.bin": b"x" * 70_000, "sub/inner #1.txt": b"deeper", "sub/z": b""}


def lay(root: Path, files: dict[str, bytes]) -> None:
    """Write *files* below *root*."""
    for name, octets in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(octets)


def tree_of(root: Path) -> dict[str, bytes]:
    """The files below *root*."""
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def files_in(root: Path) -> int:
    """How many files are below *root*, where some are just getting their names."""
    return sum(path.suffix != ".part" and path.is_file() for path in root.rglob("*"))


class MirrorCase(IntegrationCase):
    """Has a folder, and a daemon."""

    def setUp(self) -> None:
        """The folder is served by whom a test likes."""
        self.root = self.make_directory()
        lay(self.root / "pub", TREE)
        self.daemon = self.make_daemon({"downloads": {"retry": FAST_RETRY}}).start()
        self.api = self.daemon.api

    def mirror(self, url: str, **wishes: object) -> Job:
        """A mirror after its first round, in a repeated form that can be told to go again."""
        wishes.setdefault("repeat", {"every": 3600})
        job = self.api.add(url, kind="mirror", **wishes)
        return self.ended(job)

    def again(self, job: Job) -> Job:
        """The mirror after one more round."""
        self.assertEqual(self.api.act(job["id"], "retry").status, 200)
        return self.ended(job)

    def ended(self, job: Job) -> Job:
        """The mirror when its round is over."""
        before = job["mirror"]["round"] and job["mirror"]["round"]["began"]

        def over() -> Job | None:
            now = self.api.job(job["id"])
            told = now["mirror"]["round"]
            fresh = told is not None and told["ended"] is not None and told["began"] != before
            return now if fresh and now["state"] in ("waiting", "complete", "failed") else None

        return until(over, "the round is over")

    def counts(self, job: Job) -> dict[str, Any]:
        """What is not nought in the latest round."""
        told = job["mirror"]["round"]
        return {name: n for name, n in told.items() if n and name not in ("began", "ended")}


class NginxTests(MirrorCase):
    """A folder that nginx lists."""

    def setUp(self) -> None:
        """An nginx that lists."""
        super().setUp()
        self.nginx = self.make_nginx(self.root, more="autoindex on;")

    def asked(self, since: int = 0) -> Counter[tuple[str, str]]:
        """Path and status of what nginx was asked."""
        lines = [line.split('"') for line in self.nginx.served()[since:]]
        return Counter((parts[1].split()[1], parts[2].split()[0]) for parts in lines)

    def test_rounds(self) -> None:
        """All arrive; unchanged ones cost one 304 each; a changed one alone is fetched."""
        job = self.mirror(self.nginx.url("pub/"))
        here = Path(job["directory"])
        self.assertEqual(tree_of(here), TREE)
        self.assertEqual(self.counts(job), {"folders": 2, "found": 4, "fetched": 4})
        before = sum(self.counts(job)[name] for name in ("folders", "found"))
        until(lambda: len(self.nginx.served()) == before, "all requests are logged")
        inodes = {path.stat().st_ino for path in here.rglob("*")}
        job = self.again(job)
        self.assertEqual(self.counts(job), {"folders": 2, "found": 4, "unchanged": 4})
        self.assertEqual({path.stat().st_ino for path in here.rglob("*")}, inodes)
        until(lambda: len(self.nginx.served()) == before + 6, "six requests are logged")
        statuses = Counter(status for _, status in self.asked(before).elements())
        self.assertEqual(statuses, {"304": 4, "200": 2})
        changed = {"a.txt": b"other", "new/file": b"new"}
        lay(self.root / "pub", changed)
        os.utime(self.root / "pub" / "a.txt", (1_700_000_000,) * 2)
        job = self.again(job)
        counts = {"folders": 3, "found": 5, "unchanged": 3, "fetched": 2}
        self.assertEqual(self.counts(job), counts)
        self.assertEqual(tree_of(here), {**TREE, **changed})

    def test_rangectl(self) -> None:
        """The command line adds one, waits for its first round, and says how it went."""
        told = self.rangectl(
            *("mirror", self.nginx.url("pub"), "--into", "m", "--include", "*.txt"),
            *("--exclude", "sub", "--wait", "--every", "6h"),
        )
        self.assertIn("complete", told)
        self.assertIn("1 of 1 files", told)
        self.assertEqual(tree_of(self.daemon.downloads / "m"), {"a.txt": TREE["a.txt"]})
        [job] = self.api.request("GET", "/api/v1/jobs?parent=none").json["jobs"]
        self.assertEqual((job["kind"], job["repeat"]["every"]), ("mirror", 21600.0))
        self.assertIn("1 of 1 files", self.rangectl("show", job["id"]))
        self.assertNotIn("a.txt", self.rangectl("list"))
        self.assertIn("a.txt", self.rangectl("list", "--files", job["id"]))

    def rangectl(self, *words: str) -> str:
        """What one command prints, which must end well."""
        ended = subprocess.run(
            [*RANGECTL, "-c", str(self.daemon.config_file), *words],
            env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        return ended.stdout

    def test_declared(self) -> None:
        """One of the configuration runs from the start on; without it the jobs are kept."""
        declared = {"kind": "mirror", "name": "pub", "url": self.nginx.url("pub/")}
        self.daemon.configure({"jobs": [declared]})
        self.daemon.restart()
        [job] = self.api.request("GET", "/api/v1/jobs?parent=none").json["jobs"]
        done = self.api.wait_for(job["id"], "complete")
        self.assertEqual(tree_of(self.daemon.downloads / "pub"), TREE)
        files = self.api.request("GET", f"/api/v1/jobs?parent={job['id']}").json["jobs"]
        self.assertEqual({file["parent"] for file in files}, {done["id"]})
        self.assertEqual(len(files), len(TREE))

    def test_killed(self) -> None:
        """SIGKILL in the middle of rounds: in the end each file is here once, and right."""
        many = {f"{n % 7}/{n}.bin": bytes([n]) * 3000 for n in range(150)}
        lay(self.root / "many", many)
        url = self.nginx.url("many/")
        job = self.api.add(url, kind="mirror", repeat={"every": 3600})
        for part in (1, 40, 90):
            until(lambda part=part: files_in(Path(job["directory"])) >= part, "some are here")
            self.daemon.kill()
            self.daemon.start()
        job = self.ended(job)
        self.assertEqual(tree_of(Path(job["directory"])), many)
        self.assertEqual(self.counts(job)["found"], len(many))
        page = self.api.request("GET", f"/api/v1/jobs?parent={job['id']}&limit=1000").json
        self.assertEqual(Counter(file["urls"][0] for file in page["jobs"]).most_common(1)[0][1], 1)
        self.assertEqual(len(page["jobs"]), len(many))
        lay(self.root / "many", {"0/0.bin": b"changed"})
        self.assertEqual(self.api.act(job["id"], "retry").status, 200)
        self.daemon.kill()
        self.daemon.start()
        job = self.ended(job)
        self.assertEqual(tree_of(Path(job["directory"])), {**many, "0/0.bin": b"changed"})


class AnyServerTests(MirrorCase):
    """The same rounds with every server there is."""

    def rounds(self, url: str) -> None:
        """Fetch, look again, take over a change, an addition and a deletion."""
        job = self.mirror(url, delete=True, name="any")
        self.assertIsNone(job["error"])
        here = Path(job["directory"])
        self.assertEqual(tree_of(here), TREE)
        job = self.again(job)
        self.assertEqual(self.counts(job), {"folders": 2, "found": 4, "unchanged": 4})
        (self.root / "pub" / "b c.bin").unlink()
        lay(self.root / "pub", {"sub/inner #1.txt": b"other", "add/x": b"x"})
        job = self.again(job)
        self.assertEqual(
            self.counts(job),
            {"folders": 3, "found": 4, "unchanged": 2, "fetched": 2, "gone": 1, "deleted": 1},
        )
        self.assertEqual(tree_of(here), tree_of(self.root / "pub"))

    def spawn(self, port: int, *command: str) -> None:
        """A server of that port, ended with the test; skips where it is not installed."""
        if shutil.which(command[0]) is None:
            raise SkipTest(f"{command[0]} is not installed")
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        until(lambda: accepts(port), f"{command[0]} listens")

    def test_nginx_json(self) -> None:
        """The JSON of nginx."""
        nginx = self.make_nginx(self.root, more="autoindex on; autoindex_format json;")
        self.rounds(nginx.url("pub"))

    def test_ourselves(self) -> None:
        """Our own listings."""
        mount = {"path": "/", "root": str(self.root), "listing": True}
        origin = self.make_daemon({"server": {"mounts": [mount]}}).start()
        self.rounds(f"http://127.0.0.1:{origin.file_port}/pub")

    def test_caddy(self) -> None:
        """Caddy's file server, which answers with JSON where it is asked for."""
        port = free_port()
        where = ("--root", str(self.root), "--listen", f"127.0.0.1:{port}")
        self.spawn(port, "caddy", "file-server", "--browse", *where)
        self.rounds(f"http://127.0.0.1:{port}/pub/")

    def test_apache(self) -> None:
        """Apache's fancy tables, links for sorting and all."""
        port, base = free_port(), self.make_directory()
        config = base / "apache.conf"
        config.write_text(_APACHE.format(base=base, port=port, root=self.root))
        self.spawn(port, "apache2", "-X", "-f", str(config))
        self.rounds(f"http://127.0.0.1:{port}/pub/")


_APACHE = """\
ServerName origin
Listen 127.0.0.1:{port}
PidFile {base}/pid
ErrorLog {base}/error.log
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
LoadModule autoindex_module /usr/lib/apache2/modules/mod_autoindex.so
DocumentRoot {root}
<Directory {root}>
  Options Indexes
  Require all granted
  IndexOptions FancyIndexing HTMLTable Charset=UTF-8
</Directory>
"""
