"""``rangectl`` as a process of its own: at a terminal, interrupted, into a closed pipe."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import threading
from collections.abc import Mapping

from rangedaemon.core.jobs import JobError, JobState, Live, Remembered
from tests.integration.daemon import environment
from tests.integration.rangectl_case import RANGECTL, URL, SiteCase
from tests.integration.waiting import PATIENCE, until


class ProcessCase(SiteCase):
    """Tests that start ``rangectl`` as people do."""

    def words(self, *words: str) -> list[str]:
        """The command line."""
        there = ["--url", self.site.url, "--token-file", str(self.token_file)]
        return [*RANGECTL, *there, *words]

    def environ(self, more: Mapping[str, str]) -> dict[str, str]:
        """An environment without the surroundings' terminal."""
        removed = {"NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR", "TTY_COMPATIBLE"}
        plain = {key: value for key, value in environment().items() if key not in removed}
        return {**plain, "TERM": "xterm-256color", **more}


class Terminal:
    """A process at a terminal of 100 columns, and what it has drawn."""

    def __init__(self, words: list[str], environ: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            words, stdin=slave, stdout=slave, stderr=slave,
            env={**environ, "COLUMNS": "100", "LINES": "24"}, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self._drawn = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                octets = os.read(self._master, 1 << 16)
            except OSError:
                return
            if not octets:
                return
            self._drawn += octets

    @property
    def text(self) -> str:
        """What has been drawn by now, control sequences and all."""
        return self._drawn.decode(errors="replace")

    def wait_for(self, text: str) -> None:
        """Wait until it has drawn *text*."""
        until(lambda: text in self.text, f"{text!r} is drawn")

    def end(self) -> int:
        """Wait for its end; the exit code."""
        code = self.process.wait(PATIENCE)
        self._reader.join(10)
        os.close(self._master)
        return code

    def close(self) -> None:
        """End it in any case."""
        if self.process.poll() is None:
            self.process.kill()
            self.end()


class TerminalTests(ProcessCase):
    """At a terminal."""

    def start(self, *words: str, **environ: str) -> Terminal:
        """A command at a terminal."""
        terminal = Terminal(self.words(*words), self.environ(environ))
        self.addCleanup(terminal.close)
        return terminal

    def test_bars(self) -> None:
        """Bars move, end with the last picture, and the exit code is that of the jobs."""
        job_id = self.add(name="deb", remembered=Remembered(length=1000))
        terminal = self.start("watch", "deb")
        terminal.wait_for("queued")
        self.become(job_id, state=JobState.ACTIVE, live=Live(rate=2048.0))
        terminal.wait_for("2.0 KiB/s")
        self.become(job_id, state=JobState.COMPLETE)
        self.assertEqual(terminal.end(), 0)
        self.assertIn("━" * 20, terminal.text)
        self.assertIn("\x1b[32mcomplete", terminal.text)
        self.assertIn("1 complete", terminal.text)

    def test_failure(self) -> None:
        """Why a job failed stands below the bars."""
        job_id = self.add(name="deb")
        terminal = self.start("watch", "deb")
        terminal.wait_for("queued")
        self.become(job_id, state=JobState.FAILED, error=JobError("not-found", "404", URL))
        self.assertEqual(terminal.end(), 1)
        self.assertIn(f"{job_id} failed deb: not-found: 404", terminal.text)

    def test_no_color(self) -> None:
        """``NO_COLOR`` turns colours off; the bars stay readable."""
        self.add(name="deb", state=JobState.FAILED)
        terminal = self.start("watch", "deb", NO_COLOR="1")
        self.assertEqual(terminal.end(), 1)
        self.assertNotIn("\x1b[31m", terminal.text)
        self.assertIn("─" * 20, terminal.text)

    def test_full_screen(self) -> None:
        """The whole screen is given back at the end, with what became of the jobs."""
        job_id = self.add(name="deb")
        terminal = self.start("watch", "--full-screen", "deb")
        terminal.wait_for("Ctrl-C ends")
        self.become(job_id, state=JobState.COMPLETE)
        self.assertEqual(terminal.end(), 0)
        after = terminal.text.rpartition("\x1b[?1049l")[2]
        self.assertIn(f"{job_id} complete deb", after)

    def test_silence(self) -> None:
        """Where the daemon does not answer any more, the bars say that they are old."""
        self.assert_silence_told("watch", "deb")

    def test_silence_full_screen(self) -> None:
        """So they do on the whole screen."""
        self.assert_silence_told("watch", "-F", "deb")

    def assert_silence_told(self, *words: str) -> None:
        """The same with these words."""
        self.add(name="deb", remembered=Remembered(length=1000))
        terminal = self.start(*words)
        terminal.wait_for("queued")
        self.site.close()
        terminal.wait_for("the daemon does not answer, trying again")
        terminal.process.send_signal(signal.SIGINT)
        self.assertEqual(terminal.end(), 130)

    def test_interrupt(self) -> None:
        """Ctrl-C ends with 130, without a traceback, and the cursor comes back."""
        self.add(name="deb")
        for words in (["watch", "deb"], ["watch", "--follow"], ["watch", "-F", "deb"]):
            with self.subTest(" ".join(words)):
                terminal = self.start(*words)
                terminal.wait_for("queued")
                terminal.process.send_signal(signal.SIGINT)
                self.assertEqual(terminal.end(), 130)
                self.assertNotIn("Traceback", terminal.text)
                self.assertTrue(terminal.text.rstrip().endswith("\x1b[?25h") or words[1] == "-F")

    def test_confirmation(self) -> None:
        """Files are only deleted after a yes where somebody is there to ask."""
        job_id = self.add(name="deb")
        terminal = self.start("remove", "--delete-files", "deb")
        terminal.wait_for("[y/N]")
        os.write(terminal._master, b"n\n")
        self.assertEqual(terminal.end(), 2)
        self.assertIn(job_id, self.jobs.jobs)
        terminal = self.start("remove", "--delete-files", "--yes", "deb")
        self.assertEqual(terminal.end(), 0)
        self.assertEqual(self.jobs.deleted, [(job_id, True)])


class PipeTests(ProcessCase):
    """Into files and pipes."""

    def run_piped(self, *words: str, **environ: str) -> subprocess.Popen[bytes]:
        """A command with its output in a pipe."""
        process = subprocess.Popen(
            self.words(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL, env=self.environ(environ),
        )  # fmt: skip
        self.addCleanup(process.kill)
        return process

    def test_closed_pipe(self) -> None:
        """A reader that goes away is no fault: no traceback, no complaint."""
        for n in range(30):
            self.add(name=f"{n}-" + "n" * 240)
        for words in (["list"], ["list", "--json"], ["show", "*"]):
            with self.subTest(" ".join(words)):
                process = self.run_piped(*words)
                assert process.stdout is not None
                process.stdout.close()
                _, err = process.communicate(timeout=PATIENCE)
                self.assertEqual((process.returncode, err), (0, b""))

    def test_ascii_locale(self) -> None:
        """Names that the locale cannot write do not end the command."""
        self.add(name="日本語")
        process = self.run_piped("list", PYTHONIOENCODING="ascii")
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, err), (0, b""))
        self.assertIn(b"???", out)

    def test_interrupt(self) -> None:
        """130 without a traceback in a pipe as well."""
        self.add(name="deb")
        process = self.run_piped("watch", "deb")
        assert process.stdout is not None
        self.assertIn(b"queued", process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, err.strip()), (130, b""))

    def test_completion(self) -> None:
        """The shell is offered commands, options, and the daemon's jobs."""
        job_id = self.add(name="debian")
        start = ["rangectl", "--url", self.site.url, "--token-file", str(self.token_file)]
        table = {("pa",): "pause", ("pause", "deb"): "debian", ("pause", job_id[:3]): job_id}
        for words, offered in table.items():
            with self.subTest(" ".join(words)):
                line = [*start, *words]
                process = self.run_piped(
                    _RANGECTL_COMPLETE="bash_complete",
                    COMP_WORDS=" ".join(line),
                    COMP_CWORD=str(len(line) - 1),
                )
                out, _ = process.communicate(timeout=PATIENCE)
                self.assertIn(f"plain,{offered}", out.decode().split())

    def test_completion_scripts(self) -> None:
        """Each shell gets a script that names the variable of this program."""
        for shell in ("bash", "zsh", "fish"):
            ended = self.ctl("completion", shell)
            self.assertEqual(ended.code, 0)
            self.assertIn("_RANGECTL_COMPLETE", ended.out)
