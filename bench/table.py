"""Simple tables of reStructuredText, so that results can go into the README as they are."""

from __future__ import annotations

from collections.abc import Sequence


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A title and a simple table; the first column to the left, numbers to the right."""
    widths = [max(len(row[at]) for row in [header, *rows]) for at in range(len(header))]
    rule = "  ".join("=" * width for width in widths)
    lines = [_line(row, widths) for row in rows]
    return "\n".join([title, "", rule, _line(header, widths), rule, *lines, rule, ""])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (cell for cell in row)
    cells = [first.ljust(widths[0])]
    cells += [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
    return "  ".join(cells).rstrip()


def mib(octets: float) -> str:
    """Octets as MiB."""
    return f"{octets / 2**20:.0f}"
