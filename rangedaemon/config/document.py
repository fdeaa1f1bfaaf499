"""
YAML text to plain values, each with the line that it came from.

PyYAML's safe loader reads and composes; the values are built here, because three
things get lost otherwise: the lines, keys that are given twice, and the chance
to refuse a bomb.  Nesting and what aliases expand to are counted on the stream of
events, before anything is composed (libyaml's composer recurses in C).  Only the
scalars of YAML 1.2's core schema are known: ``1:30`` and ``yes`` are text.

``${NAME}`` and ``${NAME:-default}`` in a value are read from the environment after
parsing, so that no content of a variable can change the document's structure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from rangedaemon.config.problems import WHOLE_FILE, KeyPath, Problem

MAX_OCTETS = 4 << 20
"""Larger than any configuration that people write; what is read at all."""

MAX_NODES = 200_000
"""Values of a document after its aliases are expanded."""

MAX_DEPTH = 40
"""Nesting; the models go six levels deep."""

_TAG = "tag:yaml.org,2002:"
_NULL, _BOOL, _INT, _FLOAT, _STR = (_TAG + kind for kind in ("null", "bool", "int", "float", "str"))
_MAX_DIGITS = 30

_REFERENCE = re.compile(
    r"\$(?P<literal>\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|\$\{"
)


class Unreadable(Exception):
    """The text is no document at all; carries the one problem."""

    def __init__(self, line: int, message: str, path: KeyPath = WHOLE_FILE) -> None:
        super().__init__(message)
        self.problem = Problem(line, path, message)


@dataclass
class Document:
    """Plain values, where they stand, and what was wrong with the writing of them."""

    value: object = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unusable: set[KeyPath] = field(default_factory=set)
    """Values that could not be made: what the models say of their stand-ins is no news."""
    from_environment: set[KeyPath] = field(default_factory=set)
    """Values that hold something of the environment: perhaps a secret, never shown."""

    def line_of(self, path: KeyPath) -> int:
        """The line of a value or, where there is none, of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's safe loader with the implicit types of YAML 1.2's core schema only."""

    yaml_implicit_resolvers: dict[str, list[object]] = {}


_IMPLICIT = (
    (_NULL, re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""]),
    (_BOOL, re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF")),
    (_INT, re.compile(r"[-+]?[0-9]+\Z"), list("-+0123456789")),
    (
        _FLOAT,
        re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z"),
        list("-+.0123456789"),
    ),
)
for _implicit in _IMPLICIT:
    _Loader.add_implicit_resolver(*_implicit)


def read_document(data: bytes, environ: Mapping[str, str]) -> Document:
    """
    Parse a configuration file's content.

    :raises Unreadable: it is not one YAML document of keys and values.
    """
    text = _decode(data)
    try:
        _refuse_bombs(text)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as exc:
        raise _syntax_problem(exc, text) from exc
    if node is None:
        raise Unreadable(1, "is empty; the keys are explained in conf/rangedaemon.yaml")
    if not isinstance(node, yaml.MappingNode):
        raise Unreadable(_line(node), f"expected keys and values, got a {_kind(node)}")
    document = Document()
    document.value = _Builder(document, environ).build(node, WHOLE_FILE)
    return document


def _decode(data: bytes) -> str:
    """The text of a UTF-8 file, with or without byte order mark."""
    if len(data) > MAX_OCTETS:
        raise Unreadable(1, f"is larger than {MAX_OCTETS >> 20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise Unreadable(line, "is not UTF-8 text") from exc


def _kind(node: yaml.Node) -> str:
    return "list" if isinstance(node, yaml.SequenceNode) else "single value"


def _line(node: yaml.Node | yaml.Event) -> int:
    mark = node.start_mark
    return int(mark.line) + 1 if mark else 1


def _syntax_problem(exc: yaml.YAMLError, text: str) -> Unreadable:
    """PyYAML's complaint with its line, and what is mostly behind it."""
    if isinstance(exc, yaml.MarkedYAMLError):
        mark = exc.problem_mark or exc.context_mark
        line, complaint = mark.line + 1 if mark else 1, exc.problem or exc.context or ""
    else:
        position = getattr(exc, "position", 0)
        line = text.encode()[:position].count(b"\n") + 1
        complaint = str(getattr(exc, "reason", exc))
    return Unreadable(line, f"not YAML: {_advice(complaint, text, line) or complaint}")


_ADVICE = (
    ("mapping values are not allowed", 'a value with ": " in it needs quotes around it'),
    ("could not find expected ':'", 'a key needs ": " and a value after it'),
    ("did not find expected key", "this line is not indented as those above it"),
    ("did not find expected '-' indicator", "this line is not indented as those above it"),
    ("unexpected end of stream", "a quote is not closed"),
)


def _advice(complaint: str, text: str, line: int) -> str | None:
    """What to do about *complaint*, where that is known."""
    for number in (line, line - 1):
        faulty = text.splitlines()[number - 1 : number] if number else []
        if any("\t" in each[: len(each) - len(each.lstrip())] for each in faulty):
            return f"line {number} is indented with a tab; use spaces"
    for words, advice in _ADVICE:
        if words in complaint:
            return f"{complaint}: {advice}"
    return None


# -- bombs ------------------------------------------------------------------------


@dataclass
class _Open:
    """A collection whose end was not seen yet."""

    anchor: str | None
    size: int = 1


def _refuse_bombs(text: str) -> None:
    """Refuse what is nested too deep, expands too far, or contains itself."""
    sizes: dict[str, int] = {}
    stack: list[_Open] = []
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            stack.append(_Open(event.anchor))
            if len(stack) > MAX_DEPTH:
                raise Unreadable(_line(event), f"nested deeper than {MAX_DEPTH} levels")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            done = stack.pop()
        elif isinstance(event, yaml.ScalarEvent):
            done = _Open(event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            done = _Open(None, _alias_size(event, sizes, stack))
        else:
            continue
        _account(done, sizes, stack, _line(event))


def _alias_size(event: yaml.AliasEvent, sizes: Mapping[str, int], stack: list[_Open]) -> int:
    """How many values an alias stands for; an undefined one is the composer's to report."""
    if any(outer.anchor == event.anchor for outer in stack):
        raise Unreadable(_line(event), f"alias *{event.anchor} contains itself")
    return sizes.get(event.anchor or "", 1)


def _account(done: _Open, sizes: dict[str, int], stack: list[_Open], line: int) -> None:
    if done.anchor is not None:
        sizes[done.anchor] = done.size
    if stack:
        stack[-1].size += done.size
        if stack[-1].size > MAX_NODES:
            raise Unreadable(line, f"aliases expand to more than {MAX_NODES} values")


# -- values -----------------------------------------------------------------------


class _Builder:
    """Turns composed nodes into plain values and notes lines and problems on the way."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document = document
        self._environ = environ

    def build(self, node: yaml.Node, path: KeyPath) -> object:
        self._document.lines.setdefault(path, _line(node))
        if isinstance(node, yaml.MappingNode):
            return {key: self.build(value, (*path, key)) for key, value in self._items(node, path)}
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _items(self, node: yaml.MappingNode, path: KeyPath) -> Iterator[tuple[str, yaml.Node]]:
        """Keys and their values, without those keys that are no text or were there before."""
        first_lines: dict[str, int] = {}
        for key_node, value in node.value:
            line = _line(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self._complain(line, path, "a key must be plain text")
                continue
            key = str(key_node.value)
            if key in first_lines:
                earlier = first_lines[key]
                self._complain(line, (*path, key), f"given twice, first on line {earlier}")
                continue
            first_lines[key] = self._document.lines[(*path, key)] = line
            yield key, value

    def _scalar(self, node: yaml.Node, path: KeyPath) -> object:
        text, tag = str(node.value), node.tag
        plain = not getattr(node, "style", None)
        if "${" in text:
            text = self._substitute(text, _line(node), path)
            if plain:
                tag = _plain_tag(text)
        value = _construct(tag, text)
        if value is NotImplemented:
            self._give_up(_line(node), path, f"cannot be read as {tag.removeprefix(_TAG)}")
            return None
        return value

    def _substitute(self, text: str, line: int, path: KeyPath) -> str:
        """*text* with its references to the environment replaced."""

        def value_of(match: re.Match[str]) -> str:
            name = match["name"]
            if match["literal"]:
                return "${"
            if name is None:
                self._give_up(line, path, "write ${NAME} or ${NAME:-default}, or $${ for ${")
                return ""
            self._document.from_environment.add(path)
            value = self._environ.get(name, "") or match["default"]
            if value is None and name not in self._environ:
                self._give_up(line, path, f"the environment has no {name}")
            return value or ""

        return _REFERENCE.sub(value_of, text)

    def _give_up(self, line: int, path: KeyPath, message: str) -> None:
        self._document.unusable.add(path)
        self._complain(line, path, message)

    def _complain(self, line: int, path: KeyPath, message: str) -> None:
        self._document.problems.append(Problem(line, path, message))


def _plain_tag(text: str) -> str:
    """The tag that YAML would have given to this text, had it stood there unquoted."""
    return next((tag for tag, pattern, _ in _IMPLICIT if pattern.match(text)), _STR)


_CONSTRUCTORS: Mapping[str, Callable[[str], object]] = {
    _NULL: lambda _text: None,
    _BOOL: lambda text: text.lower() == "true",
    _INT: int,
    _FLOAT: float,
    _STR: str,
}


def _construct(tag: str, text: str) -> object:
    """The value of a scalar; NotImplemented for types that no configuration needs."""
    if tag in (_INT, _FLOAT) and len(text) > _MAX_DIGITS:
        return text
    try:
        return _CONSTRUCTORS[tag](text)
    except (KeyError, ValueError):
        return NotImplemented
