"""Tests for the section ``hooks`` of the configuration."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.config import Config, ConfigError, parse
from rangedaemon.core.occasions import Occasion


class HooksTests(SynchronousTestCase):
    """What is taken, and what is told of what is not."""

    def setUp(self) -> None:
        self.base = Path(self.mktemp())
        self.base.mkdir()

    def parse(self, text: str) -> Config:
        """A configuration with nothing else."""
        return parse(text.encode(), {}, name="c.yaml", base=self.base)

    def problem(self, hook: str) -> str:
        """The one problem of a hook."""
        error = self.assertRaises(ConfigError, self.parse, f"hooks:\n  - {hook}\n")
        [problem] = error.problems
        return problem.located("c.yaml")

    def test_given(self) -> None:
        """A command and a webhook, with their defaults."""
        (self.base / "key").write_text("k\n")
        first, second = self.parse(
            "hooks:\n  - {name: a, command: [/bin/true, -x]}\n"
            "  - {name: b, on: [change], webhook: 'http://h/', secret_file: key, attempts: 9}\n"
        ).hooks
        self.assertEqual(
            (first.command, first.on), (("/bin/true", "-x"), (Occasion.COMPLETE, Occasion.FAILURE))
        )
        self.assertEqual((second.webhook, second.attempts, second.timeout), ("http://h/", 9, 60.0))
        self.assertEqual(second.secret_file, self.base / "key")

    def test_refused(self) -> None:
        """Each wrong value at its line and key; an address is never shown."""
        for hook, words in (
            ("{name: a}", "hooks.0: needs either command or webhook"),
            ("{name: a, command: [x], webhook: 'http://h/'}", "needs either command or webhook"),
            ("{name: a, command: []}", "hooks.0.command: must name a program"),
            ("{name: a, command: [rm -rf x]}", "there is no shell"),
            ("{name: a, command: rm}", "hooks.0.command: expected a list"),
            ("{name: a, command: [x], on: [done]}", "hooks.0.on.0: expected 'start'"),
            ("{name: a, command: [x], on: []}", "hooks.0.on: must not be empty"),
            ("{name: a, command: [x], secret_file: nowhere}", "hooks.0.secret_file"),
            ("{name: a, webhook: 'ftp://secret.example/'}", "only http and https"),
            ("{name: a, command: [x], timeout: 0}", "hooks.0.timeout: must be more than 0"),
            ("{name: a, command: [x], timout: 1}", 'did you mean "timeout"?'),
            ("{command: [x]}", "hooks.0.name: is required"),
        ):
            said = self.problem(hook)
            self.assertIn(words, said, hook)
            self.assertTrue(said.startswith("c.yaml:2: "), said)
            self.assertNotIn("secret.example", said)

    def test_same_name(self) -> None:
        """Two hooks of one name could not be told apart in the log."""
        text = "hooks:\n  - {name: a, command: [x]}\n  - {name: a, command: [y]}\n"
        error = self.assertRaises(ConfigError, self.parse, text)
        self.assertIn("the same as on line 2", str(error))
