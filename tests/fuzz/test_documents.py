"""Documents and messages of peers: understood, or refused with the fault that says so."""

from __future__ import annotations

import json
import time
from urllib.parse import unquote, urljoin

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.aria2.envelope import read
from rangedaemon.control.bodies import parse_json
from rangedaemon.control.problems import MalformedJSON
from rangedaemon.core.indexes import parse_index
from rangedaemon.core.metalink_reading import parse_metalink
from rangedaemon.core.sums import find_sum
from rangedaemon.errors import UnusableDocument
from tests.fuzz.mutants import as_octets, mutants

URL = "http://h.test/dir/a.meta4"
HEX = "d435" * 16
METALINKS = [
    (
        '<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="a">'
        f'<size>10</size><hash type="sha-256">{HEX}</hash><url priority="1">http://m.test/a</url>'
        f'<pieces length="4" type="sha-1"><hash>{"ab" * 20}</hash></pieces></file></metalink>'
    ),
    (
        '<metalink version="3.0" xmlns="http://www.metalinker.org/"><files><file name="../a">'
        "<resources><url>ftp://m.test/a</url></resources></file></files></metalink>"
    ),
]
SUMS = [f"{HEX}  a", f"SHA256 (a) = {HEX}", f"\\{HEX} *a\\nb", "# nothing"]
INDEXES = [
    '<pre><a href="?C=N;O=D">Name</a><a href="/">Up</a>\n<a href="a%20b.bin">a b</a> <a href="c/">',
    '{"entries":[{"name":"a","type":"file","href":"./a"},{"name":"c","type":"directory"}]}',
    '[{"name":"a/","url":"./a/","is_dir":true},{"name":"b","type":"directory"}]',
]
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE m [<!ENTITY a "aaaaaaaaaa">'
    + "".join(
        f'<!ENTITY a{n} "{"&a" + str(n - 1) + ";" if n else "&a;"}{"&a;" * 9}">' for n in range(9)
    )
    + ']><metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="&a8;"/></metalink>'
)
CALLS = [
    '{"jsonrpc":"2.0","id":"q","method":"aria2.addUri","params":["token:x",["http://h.test/a"],{}]}',
    '[{"id":1,"method":"system.multicall","params":[[{"methodName":"aria2.tellActive"}]]}]',
]

many = settings(max_examples=300, deadline=None)


class DocumentTests(SynchronousTestCase):
    """What origins serve to be read."""

    @many
    @given(as_octets(mutants(METALINKS)))
    def test_metalink(self, octets: bytes) -> None:
        """Files with safe names and addresses of http, or no document."""
        try:
            files = parse_metalink(octets, URL)
        except UnusableDocument:
            return
        for file in files:
            self.assertNotIn("/", file.name)
            self.assertTrue(all(url.startswith(("http://", "https://")) for url in file.urls))

    def test_entity_bomb(self) -> None:
        """Entities that grow to a thousand million octets are not even begun."""
        began = time.process_time()
        with self.assertRaises(UnusableDocument):
            parse_metalink(BOMB.encode(), URL)
        self.assertLess(time.process_time() - began, 1)

    def test_deep(self) -> None:
        """Nesting without end is refused, not followed."""
        for document in (
            b"<a>" * 100_000,
            METALINKS[0].encode().replace(b"<file", b"<file" * 5000),
        ):
            with self.assertRaises(UnusableDocument):
                parse_metalink(document, URL)

    @many
    @given(as_octets(mutants(INDEXES)), st.sampled_from(["text/html", "application/json"]))
    def test_index(self, octets: bytes, kind: str) -> None:
        """Each entry is one segment that leads right below the listing, or there is no listing."""
        url = "http://h.test/dir/"
        try:
            found = parse_index(octets, kind, url)
        except UnusableDocument:
            return
        for entry in found:
            self.assertEqual(urljoin(url, f"./{entry.segment}"), url + entry.segment)
            self.assertFalse(set(unquote(entry.segment, "latin-1")) & set("/\\\0\n"))

    def test_endless_pages(self) -> None:
        """Pages that never end what they begin cost no more than their length."""
        began = time.process_time()
        for piece in (b"<a ", b"<!--", b"<script", b'<a href="', b"<a href", b"<a title='"):
            self.assertEqual(parse_index(piece * (1 << 18), "text/html", URL), [])
        self.assertLess(time.process_time() - began, 10)

    @many
    @given(as_octets(mutants(SUMS)))
    def test_sums(self, octets: bytes) -> None:
        """A checksum of the file that was asked for, or no such list."""
        try:
            found = find_sum(octets, "a", "http://h.test/SHA256SUMS")
        except UnusableDocument:
            return
        algorithm, _, digest = found.partition("=")
        self.assertTrue(algorithm)
        bytes.fromhex(digest)


class MessageTests(SynchronousTestCase):
    """What clients send to be done."""

    @many
    @given(as_octets(mutants(CALLS)))
    def test_json(self, octets: bytes) -> None:
        """A value that every program reads alike, or a fault that says where it is none."""
        try:
            value = parse_json(octets)
        except MalformedJSON:
            return
        self.assertEqual(json.loads(octets), value)

    @many
    @given(
        st.recursive(
            st.none() | st.booleans() | st.text(max_size=5) | st.integers(),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(
                    st.sampled_from(["id", "method", "params", "jsonrpc", "x"]), inner, max_size=4
                )
            ),
            max_leaves=12,
        )
    )
    def test_rpc(self, value: object) -> None:
        """Any JSON at all is calls, or broken calls with an error to tell."""
        self.assertIsNotNone(read(json.dumps(value).encode()))
