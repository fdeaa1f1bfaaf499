"""
Columns that fit: one of them gives way, and the least important go where room is short.

Pure.  Rich's tables shrink every column alike; here ids and numbers stay whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """How one column stands: its title, side, and when it goes (0: never, 1: first)."""

    title: str
    right: bool = False
    goes: int = 0


def aligned(
    rows: Sequence[Sequence[Text]],
    columns: Sequence[Column],
    width: int,
    *,
    flexible: int,
    least: int = 12,
) -> list[Text]:
    """
    One line for each of *rows*, at most *width* cells wide if that can be.

    :param flexible: the column that is cut off where the lines are too long.
    :param least: cells that it keeps; other columns go first.
    """
    widths = [max((cell_len(row[n].plain) for row in rows), default=0) for n in range(len(columns))]
    least = min(least, widths[flexible])
    shown = _shown(widths, columns, width, flexible, least)
    others = sum(widths[n] for n in shown if n != flexible) + GAP * (len(shown) - 1)
    widths[flexible] = min(widths[flexible], max(least, width - others))
    return [_line(row, columns, widths, shown) for row in rows]


def _shown(
    widths: list[int], columns: Sequence[Column], width: int, flexible: int, least: int
) -> list[int]:
    """The columns that stay."""
    shown = list(range(len(columns)))
    leaving = sorted((n for n in shown if columns[n].goes), key=lambda n: columns[n].goes)
    for gone in leaving:
        others = sum(widths[n] for n in shown if n != flexible) + GAP * (len(shown) - 1)
        if others + least <= width:
            break
        shown.remove(gone)
    return shown


def _line(
    row: Sequence[Text], columns: Sequence[Column], widths: list[int], shown: list[int]
) -> Text:
    """One line of the columns that stay."""
    cells = []
    for n in shown:
        cell = row[n].copy()
        cell.truncate(widths[n], overflow="ellipsis")
        cell.align("right" if columns[n].right else "left", widths[n])
        cells.append(cell)
    line = Text(" " * GAP).join(cells)
    line.rstrip()
    line.no_wrap, line.overflow = True, "crop"
    return line


def titled(columns: Sequence[Column]) -> list[Text]:
    """The row of titles."""
    return [Text(column.title, style="bold") for column in columns]


def lines(parts: Sequence[Text]) -> Text:
    """All of *parts*, one below the other."""
    return Text("\n", no_wrap=True, overflow="crop").join(parts)


def facts(pairs: Sequence[tuple[str, Text]]) -> Text:
    """Names and values, the values one below the other and never cut off."""
    width = max((cell_len(name) for name, _ in pairs), default=0)
    return lines([Text.assemble((name.ljust(width + GAP), "bold"), value) for name, value in pairs])
