"""The configuration of the control API's access: tokens, and where it may listen."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.configs import BASE, config_of, problems_of


class TokenTests(SynchronousTestCase):
    """``control.tokens``."""

    def test_good(self) -> None:
        """By a file or by a digest; to read, unless it says more."""
        config = config_of(
            "control:\n  tokens:\n  - {name: a, token_file: a.token}\n"
            f"  - {{name: b, scope: add, digest: sha-256={'AB' * 32}}}\n"
        )
        found = [(t.name, t.scope, t.token_file, t.digest) for t in config.control.tokens]
        digest = "sha-256=" + "ab" * 32
        expected = [("a", "read", BASE / "a.token", None), ("b", "add", None, digest)]
        self.assertEqual(found, expected)

    def test_bad(self) -> None:
        """Neither source or both, other scopes, other digests, a name twice; no digest is shown."""
        digest = "sha-256=" + "ab" * 32
        for token, said in {
            "{name: a}": "control.tokens.0: needs either token_file or digest",
            f"{{name: a, token_file: x, digest: {digest}}}": "needs either token_file or digest",
            "{name: a, token_file: x, scope: all}": "control.tokens.0.scope: expected 'read'",
            "{name: a, digest: sha-256=abc}": "control.tokens.0.digest: expected sha-256= and 64",
            "{name: a, token_file: x}, {name: a, token_file: y}": "control.tokens.1.name: the same",
            "{name: a, token: x}": 'tokens.0.token: unknown key, did you mean "token_file"?',
        }.items():
            with self.subTest(token=token):
                found = problems_of(f"control: {{tokens: [{token}]}}")
                self.assertIn(said, found[0])
                self.assertNotIn("=abc", found[0])


class ListenTests(SynchronousTestCase):
    """``control.listen``: who can reach it."""

    def test_beyond_loopback(self) -> None:
        """A control port that others reach without TLS is refused at its place, each of them."""
        out = ["tcp:1", "tcp:1:interface=0.0.0.0", "tcp:1:192.0.2.1", r"tcp:1:interface=\:\:",
               "tcp6:1", "tcp:port=1:interface=192.0.2.1", "tcp:1:backlog=5"]  # fmt: skip
        own = ["tcp:1:interface=127.0.0.1", "tcp:1:127.0.0.2", r"tcp6:1:interface=\:\:1",
               "tcp:1:interface=localhost", "unix:x", "systemd:domain=INET:index=0"]  # fmt: skip
        lines = "\n".join(f"    - {json.dumps(text)}" for text in [*own, *out])
        found = problems_of(f"control:\n  listen:\n{lines}\n")
        places = [
            message.partition(": listens beyond loopback without TLS")[0] for message in found
        ]
        expected = [f"c.yaml:{3 + n}: control.listen.{n}" for n in range(len(own), len(own + out))]
        self.assertEqual(places, expected)
        self.assertIn("set control.allow_plain_remote: true", found[0])

    def test_beyond_loopback_in_words(self) -> None:
        """Unless the configuration says so; served files may go anywhere."""
        self.assertEqual(problems_of("control: {listen: ['tcp:1'], allow_plain_remote: true}"), [])
        self.assertEqual(
            len(problems_of("control: {listen: ['tcp:1'], allow_plain_remote: false}")), 1
        )
        self.assertEqual(problems_of("server: {listen: ['tcp:1']}"), [])

    def test_for_the_owner(self) -> None:
        """A Unix socket of the control API is the owner's alone, unless a mode is given."""
        config = config_of("control: {listen: ['unix:/a', 'unix:/b:mode=660', 'tcp:1:127.0.0.1']}")
        self.assertEqual(
            config.control.listen, ("unix:/a:mode=600", "unix:/b:mode=660", "tcp:1:127.0.0.1")
        )
