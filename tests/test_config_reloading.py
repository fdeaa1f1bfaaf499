"""What may change in a configuration while the daemon runs, and how the rest is refused."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.config import Config, ConfigError, load, parse
from rangedaemon.config.reloading import LIVE, changed_keys, load_again, may_change


def config_of(text: str) -> Config:
    """The configuration that *text* describes."""
    return parse(text.encode(), {}, name="c.yaml", base=Path("/base"))


class ChangedKeysTests(SynchronousTestCase):
    """`changed_keys`."""

    def test_table(self) -> None:
        """Leaves of sections, whole lists, sections that come and go."""
        for old, new, keys in (
            ("{}", "{}", []),
            ("{}", "state_dir: var/state", []),
            ("{}", "state_dir: x", ["state_dir"]),
            ("{}", "server: {}", ["server"]),
            ("server: {}", "{}", ["server"]),
            ("server: {}", "server: {workers: 2}", ["server.workers"]),
            ("server: {}", "server: {mounts: [{path: /a, root: b}]}", ["server.mounts"]),
            ("server: {}", "server: {limits: {connections: 5}}", ["server.limits.connections"]),
            (
                "downloads: {rate_limit: 1, retry: {attempts: 2}}",
                "downloads: {max_active: 9}",
                ["downloads.max_active", "downloads.rate_limit", "downloads.retry.attempts"],
            ),
        ):
            with self.subTest(old=old, new=new):
                found = changed_keys(config_of(old or "{}"), config_of(new or "{}"))
                self.assertEqual([".".join(map(str, key)) for key in found], keys)

    def test_live_keys_exist(self) -> None:
        """Every key that may change is one of the model."""
        for path in LIVE:
            model: type = Config
            for name in path[:-1]:
                model = model.model_fields[str(name)].annotation  # type: ignore[attr-defined]
                model = getattr(model, "__args__", (model,))[0]
            self.assertIn(path[-1], model.model_fields)  # type: ignore[attr-defined]

    @given(st.sampled_from(LIVE), st.lists(st.text(max_size=3), max_size=3))
    def test_below(self, path: tuple[str, ...], more: list[str]) -> None:
        """What is below a key that may change may change too, what is beside it need not."""
        self.assertTrue(may_change((*path, *more)))
        self.assertFalse(may_change(("state_dir", *more)))


class LoadAgainTests(SynchronousTestCase):
    """`load_again`."""

    def setUp(self) -> None:
        """A file, and what runs with it."""
        self.file = Path(self.mktemp()).absolute()
        self.text = "# first\nstate_dir: a\ndownloads:\n  segments: 5\n  max_active: 2\n"
        self.file.write_text(self.text)
        self.running = load(self.file, {})

    def again(self, text: str) -> Config:
        """What a file with that text gives."""
        self.file.write_text(text)
        return load_again(self.file, {}, self.running)

    def test_allowed(self) -> None:
        """The new configuration, where all that is new may change."""
        config = self.again(self.text.replace("max_active: 2", "max_active: 3"))
        self.assertEqual(config.downloads.max_active, 3)
        self.assertEqual(self.again(self.text), self.running)

    def test_fixed(self) -> None:
        """Each key that needs a restart is refused at its line."""
        text = self.text.replace(": a", ": b").replace("5", "6").replace("active: 2", "active: 3")
        error = self.assertRaises(ConfigError, self.again, text)
        self.assertEqual(
            [(each.line, each.place) for each in error.problems],
            [(2, "state_dir"), (4, "downloads.segments")],
        )
        self.assertEqual((error.status, error.code), (422, "bad-configuration"))
        self.assertEqual(
            [each.loc for each in error.complaints], ["state_dir", "downloads.segments"]
        )

    def test_left_out(self) -> None:
        """A key that is not there any more is refused at the nearest line."""
        error = self.assertRaises(ConfigError, self.again, "downloads:\n  segments: 5\n")
        self.assertEqual([each.place for each in error.problems], ["state_dir"])

    def test_bad(self) -> None:
        """Problems of the file itself come first."""
        error = self.assertRaises(ConfigError, self.again, "sever: {}\nstate_dir: x\n")
        self.assertEqual([each.place for each in error.problems], ["sever"])
