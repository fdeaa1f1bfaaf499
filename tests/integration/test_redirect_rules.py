"""Redirects between real servers: from https to http, and how many."""

from __future__ import annotations

from tests.integration.reaching import ReachingCase


class RedirectRuleTests(ReachingCase):
    """An nginx with TLS that leads to one without, and along a chain."""

    def setUp(self) -> None:
        """Start them; the plain one serves nobody who brings credentials."""
        super().setUp()
        self.plain = self.make_nginx(
            self.root,
            more="if ($http_authorization) { return 418; } if ($http_x_key) { return 418; }",
        )
        chain = "".join(f"location ={self.hop(n)} {{ return 307 {self.hop(n - 1)}; }}\n"
                        for n in range(1, 13))  # fmt: skip
        self.secure = self.make_nginx(
            self.root,
            tls=True,
            more=f"location /down/ {{ return 302 {self.plain.url('file.bin')}; }}\n{chain}"
            f"location ={self.hop(0)} {{ return 302 /file.bin; }}",
        )
        self.trusting = {"hosts": [{"match": "127.0.0.1", "ca_file": str(self.secure.certificate)}]}

    def hop(self, number: int) -> str:
        """The path of one hop of the chain."""
        return f"/hop{number}"

    def test_down(self) -> None:
        """Refused as it comes; where it is allowed nothing of the job's goes along."""
        mine = {"headers": {"X-Key": "k"}, "username": "me", "password": "pw"}
        url = self.secure.url("down/file.bin")
        daemon = self.start(self.trusting)
        job = self.refuses(daemon, "bad-redirect", url, **mine)
        self.assertIn("allow_downgrade", job["error"]["message"])
        self.assertEqual(self.plain.served(), [])
        daemon.terminate()
        self.fetches(self.start({**self.trusting, "allow_downgrade": True}), url, **mine)

    def test_how_many(self) -> None:
        """As many as are allowed, ten by default."""
        daemon = self.start(self.trusting)
        self.fetches(daemon, self.secure.url("hop8"))
        self.refuses(daemon, "too-many-redirects", self.secure.url("hop10"))
        daemon.terminate()
        few = self.start({**self.trusting, "max_redirects": 1})
        self.refuses(few, "too-many-redirects", self.secure.url("hop1"))
        self.fetches(few, self.secure.url("hop0"))
