"""Whatever stands in a file: a configuration, or located problems, and nothing else."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.config import ConfigError, parse
from rangedaemon.config.explain import _all_keys
from rangedaemon.config.models import Config
from rangedaemon.config.values import parse_duration, parse_size

KEYS = sorted({key.rsplit(".", 1)[-1] for key in _all_keys(Config)})
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["64KiB", "5m", "http://h/", "tcp:0", "${X}", "${Y:-1}", "/", "../a", "*"])
)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=20,
)
SYNTAX = st.text(alphabet=st.sampled_from(list(" \n\t:-[]{},&*!|>%@`'\"#?ab1$")), max_size=80)


def outcome(data: bytes) -> str:
    """The messages about *data*; empty where it is a configuration."""
    try:
        parse(data, {"X": "7"}, name="c.yaml", base=Path("/b"))
    except ConfigError as error:
        return str(error)
    return ""


class AnythingTests(SynchronousTestCase):
    """Property tests of the whole way from octets to `Config`."""

    def assert_located(self, data: bytes) -> None:
        """Every line of what is said is a place within the file, a key and a message."""
        lines = data.count(b"\n") + data.count(b"\r") + 2
        said = outcome(data)
        for message in said.splitlines():
            self.assertRegex(message, r"\Ac\.yaml:[0-9]+: \S.*: \S")
            self.assertLessEqual(1, int(message.split(":")[1]))
            self.assertLessEqual(int(message.split(":")[1]), lines)

    @given(st.binary(max_size=200))
    def test_octets(self, data: bytes) -> None:
        """Octets of any kind."""
        self.assert_located(data)

    @given(SYNTAX)
    def test_syntax(self, text: str) -> None:
        """Text made of YAML's own characters."""
        self.assert_located(text.encode())

    @given(TREES)
    def test_trees(self, tree: object) -> None:
        """Well-formed documents of known and unknown keys with values of any kind."""
        self.assert_located(yaml.safe_dump(tree, allow_unicode=True).encode())

    @given(st.sampled_from(KEYS), TREES)
    def test_keys(self, key: str, tree: object) -> None:
        """Known keys with any value, in two of their sections."""
        self.assert_located(
            yaml.safe_dump({"jobs": [{key: tree}], "downloads": {key: tree}}).encode()
        )


class ExactTests(SynchronousTestCase):
    """Sizes and durations against exact arithmetic."""

    @given(
        st.integers(0, 10**12),
        st.integers(0, 999),
        st.sampled_from([("B", 1), ("kB", 10**3), ("MiB", 1 << 20), ("TB", 10**12)]),
    )
    def test_size(self, whole: int, thousandths: int, unit: tuple[str, int]) -> None:
        """No size is off by an octet, however large."""
        name, factor = unit
        exact = (whole + Fraction(thousandths, 1000)) * factor
        self.assertEqual(parse_size(f"{whole}.{thousandths:03}{name}"), exact.__floor__())

    @given(st.integers(0, 10**6), st.sampled_from([("s", 1), ("m", 60), ("h", 3600), ("d", 86400)]))
    def test_duration(self, count: int, unit: tuple[str, int]) -> None:
        """A duration is its count times its unit."""
        self.assertEqual(parse_duration(f"{count}{unit[0]}"), count * unit[1])
