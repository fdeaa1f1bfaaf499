"""The innermost agent: identity is asked for, and codings are kept from treq's sight."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from rangedaemon.client.agent import CODING, IdentityAgent
from tests.client.scripted import ScriptedOrigin

URL = b"http://origin.test/"


class IdentityAgentTests(SynchronousTestCase):
    """One request through it."""

    def setUp(self) -> None:
        self.origin = ScriptedOrigin(Clock())
        self.agent = IdentityAgent(self.origin)

    def test_identity_is_asked_for(self) -> None:
        """Whatever the caller, and treq, would accept; the caller's fields stay as they are."""
        for headers in (None, Headers({"Accept-Encoding": ["gzip"], "X-A": ["1"]})):
            self.agent.request(b"GET", URL, headers)
            self.assertEqual(self.origin.last.asked("Accept-Encoding"), "identity")
        self.assertEqual(self.origin.last.asked("X-A"), "1")
        assert headers is not None
        self.assertEqual(headers.getRawHeaders("Accept-Encoding"), ["gzip"])

    def test_coding_is_hidden(self) -> None:
        """A coded answer shows its coding to us, not to whoever would decode it."""
        answered = self.agent.request(b"GET", URL)
        self.origin.last.answer(206, {"Content-Encoding": "gzip", "ETag": '"1"'}, 5)
        fields = self.successResultOf(answered).headers
        self.assertIsNone(fields.getRawHeaders("Content-Encoding"))
        self.assertEqual(fields.getRawHeaders(CODING), ["gzip"])
        self.assertEqual(fields.getRawHeaders("ETag"), ['"1"'])

    def test_plain_answer(self) -> None:
        """Nothing to hide, nothing added."""
        answered = self.agent.request(b"GET", URL)
        self.origin.last.answer(200, {}, 5)
        self.assertIsNone(self.successResultOf(answered).headers.getRawHeaders(CODING))
