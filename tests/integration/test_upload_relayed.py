"""Real clients that upload to a daemon with workers: they see nothing of that."""

from __future__ import annotations

from tests.integration import test_upload_clients as clients
from tests.integration import test_upload_hauled as hauled
from tests.integration import test_upload_npm as npm

WORKERS = {"workers": 2}


class RelayedTusClientTests(clients.TusClientTests):
    """tuspy and aiotus."""

    server = WORKERS


class RelayedCurlTests(clients.CurlTests):
    """curl, by PUT and in segments."""

    server = WORKERS


class RelayedGuardedTests(clients.GuardedTests):
    """Credentials, and refusals while a client still sends."""

    server = WORKERS


class RelayedHauledTests(hauled.HauledTests):
    """Large bodies: what came before a cut is kept to the last octet."""

    server = WORKERS


class RelayedNodeTests(npm.NodeTests):
    """tus-js-client."""

    server = WORKERS
