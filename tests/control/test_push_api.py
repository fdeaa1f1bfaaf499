"""Tests for uploads in ``POST /api/v1/jobs``, through the real site."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from rangedaemon.control.pushing import PushPlaces
from rangedaemon.core.jobs import JobSpec, Live, OnChange
from rangedaemon.core.push.values import PushProtocol
from tests.control.api_case import JOBS, ApiTestCase
from tests.control.wire import Wire

SERVER = "https://server.example/uploads"


class PushCase(ApiTestCase):
    """A site that takes uploads."""

    def setUp(self) -> None:
        """A site that pushes files of one directory."""
        self.directory = Path(tempfile.mkdtemp(prefix="rangedaemon-"))
        self.addCleanup(shutil.rmtree, self.directory)
        places = PushPlaces((str(self.directory), "/srv/other"))
        self.wire = Wire(options={"push_places": lambda: places})

    def ask(self, **body: Any) -> Any:
        """The answer to a new upload."""
        return self.wire.ask("POST", JOBS, {"kind": "upload", "url": SERVER, **body})

    def specs(self) -> list[JobSpec]:
        """What became jobs."""
        return [snapshot.record.spec for snapshot in self.wire.jobs.jobs.values()]


class PushTests(PushCase):
    """``kind: upload``."""

    def test_minimal(self) -> None:
        """201, where the job is, and the job."""
        reply = self.ask(file="a.bin")
        self.assertEqual(reply.status, 201)
        job = reply.json()
        self.assertEqual(reply.fields["location"], f"{JOBS}/{job['id']}")
        self.assertEqual(
            (job["kind"], job["path"], job["urls"], job["protocol"], job["state"]),
            ("upload", str(self.directory / "a.bin"), [SERVER], "auto", "queued"),
        )

    def test_everything(self) -> None:
        """Every field arrives in the job's spec."""
        reply = self.ask(
            file="/srv/other/sub/a.bin", protocol="tus", metadata={"caption": "x"}, name="mine",
            checksum="sha-256=" + "AB" * 32, headers={"X-Key": "k"}, segments=3, priority=-5,
            rate_limit=65536, paused=True, on_change="fail", username="me", password="secret",
        )  # fmt: skip
        self.assertEqual((reply.status, reply.json()["state"]), (201, "paused"))
        self.assertNotIn(b"secret", reply.body)
        [spec] = self.specs()
        assert spec.push is not None
        self.assertEqual(
            (spec.push.protocol, spec.push.metadata), (PushProtocol.TUS, {"caption": "x"})
        )
        self.assertEqual((spec.directory, spec.filename), ("/srv/other/sub", "a.bin"))
        self.assertEqual((spec.name, spec.checksum), ("mine", "sha-256=" + "ab" * 32))
        self.assertEqual((spec.headers, spec.segments, spec.priority), ({"X-Key": "k"}, 3, -5))
        self.assertEqual((spec.rate_limit, spec.on_change), (65536, OnChange.FAIL))
        self.assertEqual([login.user for login in spec.logins], ["me"])

    def test_folder(self) -> None:
        """One job for each regular file below it, by its name from there; links are left out."""
        for name in ("b.txt", "sub/a.txt", "sub/deep/c"):
            (self.directory / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
            (self.directory / "folder" / name).write_text(name)
        (self.directory / "folder" / "link").symlink_to("b.txt")
        reply = self.ask(folder="folder", name="site")
        self.assertEqual(reply.status, 201)
        self.assertEqual(
            [job["name"] for job in reply.json()["jobs"]],
            ["site/b.txt", "site/sub/a.txt", "site/sub/deep/c"],
        )
        spec = self.specs()[1]
        assert spec.push is not None
        self.assertEqual(spec.push.metadata, {"relativePath": "sub/a.txt"})
        self.assertEqual((spec.directory, spec.filename), (f"{self.directory}/folder/sub", "a.txt"))

    def test_folders_that_are_none(self) -> None:
        """Nothing there, nothing in it, a file: each is told."""
        (self.directory / "empty").mkdir()
        (self.directory / "file").write_text("x")
        for folder in ("none", "empty", "file"):
            with self.subTest(folder):
                problem = self.assert_problem(self.ask(folder=folder), 400, "invalid-input")
                self.assertEqual(problem["errors"][0]["loc"], "folder")

    def test_outside(self) -> None:
        """Files leave from the allowed directories only."""
        for path in ("/etc/passwd", "/srv/otherwise/a", str(self.directory) + "x"):
            with self.subTest(path):
                self.assert_problem(self.ask(file=path), 403, "outside-directory")
                self.assert_problem(self.ask(folder=path), 403, "outside-directory")
        self.assert_problem(self.ask(file="a/../../b"), 400, "invalid-input")
        self.assertEqual(self.specs(), [])

    def test_nowhere(self) -> None:
        """Where no directory is allowed nothing leaves."""
        self.wire = Wire()
        self.assert_problem(self.ask(file="a.bin"), 403, "outside-directory")

    def test_bad_wishes(self) -> None:
        """Each is told with its place."""
        for wrong, loc in (
            ({}, ""),
            ({"file": "a", "folder": "b"}, ""),
            ({"folder": "b", "checksum": "md5=" + "0" * 32}, ""),
            ({"file": "a", "on_change": "keep-old"}, ""),
            ({"file": "a", "protocol": "ftp"}, "protocol"),
            ({"file": "a", "metadata": {"a b": "c"}}, "metadata"),
            ({"file": "a", "checksum": "https://a.example/SUMS"}, "checksum"),
            ({"file": "a", "urls": [SERVER]}, "urls"),
            ({"file": "a", "url": "ftp://a.example/"}, "url"),
            ({"file": "a\0b"}, "file"),
        ):
            with self.subTest(wrong):
                problem = self.assert_problem(self.ask(**wrong), 400, "invalid-input")
                self.assertEqual([error["loc"] for error in problem["errors"]], [loc])

    def test_unknown_kind(self) -> None:
        """Only two kinds there are."""
        reply = self.wire.ask("POST", JOBS, {"kind": "torrent", "url": SERVER})
        problem = self.assert_problem(reply, 400, "invalid-input")
        self.assertEqual(problem["errors"][0]["loc"], "kind")

    def test_list(self) -> None:
        """Downloads and uploads in one list, all or none."""
        upload = {"kind": "upload", "url": SERVER, "file": "a"}
        reply = self.wire.ask("POST", JOBS, [{"url": SERVER}, upload])
        self.assertEqual([job["kind"] for job in reply.json()["jobs"]], ["download", "upload"])
        reply = self.wire.ask("POST", JOBS, [{"url": SERVER}, {**upload, "file": ""}])
        problem = self.assert_problem(reply, 400, "invalid-input")
        self.assertEqual(problem["errors"][0]["loc"], "1.file")
        self.assertEqual(len(self.specs()), 2)

    def test_content(self) -> None:
        """What is pushed is not served to who may only look."""
        job_id = self.ask(file="a.bin").json()["id"]
        self.assertEqual(self.wire.ask("GET", f"{JOBS}/{job_id}/content").status, 409)

    def test_described(self) -> None:
        """The description tells of all bodies."""
        bodies = ("NewJob", "NewUpload", "NewMirror")
        document = self.wire.ask("GET", "/openapi.json").json()
        body = document["paths"][JOBS]["post"]["requestBody"]["content"]["application/json"]
        one = {"oneOf": [{"$ref": f"#/components/schemas/{n}"} for n in bodies]}
        self.assertEqual(body["schema"]["oneOf"][0], one)
        self.assertIn("folder", document["components"]["schemas"]["NewUpload"]["properties"])


class AriaTests(PushCase):
    """Uploads as aria2's clients see them."""

    def test_status(self) -> None:
        """What goes out is upload, not download."""
        job_id = self.ask(file="a.bin").json()["id"]
        self.wire.jobs.become(job_id, live=Live(received=7))
        call = {"jsonrpc": "2.0", "id": 1, "method": "aria2.tellStatus"}
        token = "token:correct-horse-battery-staple"
        reply = self.wire.ask("POST", "/jsonrpc", {**call, "params": [token, job_id]})
        told = reply.json()["result"]
        self.assertEqual((told["uploadLength"], told["downloadSpeed"]), ("7", "0"))
        self.assertEqual(told["files"][0]["path"], str(self.directory / "a.bin"))
