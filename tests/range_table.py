"""The table of ranges that both the pure planner and the running server are held to."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A ``Range`` against a size: 200 (whole None), 416 (empty) or 206 (first-last pairs)."""

    field: str
    size: int
    parts: tuple[tuple[int, int], ...] | None


WHOLE = None
UNSATISFIABLE: tuple[tuple[int, int], ...] = ()

ROWS = [
    Row("bytes=0-499", 10000, ((0, 499),)),
    Row("bytes=500-999", 10000, ((500, 999),)),
    Row("bytes=-500", 10000, ((9500, 9999),)),
    Row("bytes=9500-", 10000, ((9500, 9999),)),
    Row("bytes=500-", 10000, ((500, 9999),)),
    Row("bytes=0-", 10000, ((0, 9999),)),
    Row("bytes=0-0", 10000, ((0, 0),)),
    Row("bytes=0-0,-1", 10000, ((0, 0), (9999, 9999))),
    Row("bytes=0-0,-1", 2, ((0, 1),)),
    Row("bytes=0-0,-1", 1, ((0, 0),)),
    Row("bytes=500-600,601-999", 10000, ((500, 999),)),
    Row("bytes=500-700,601-999", 10000, ((500, 999),)),
    Row("bytes= 0-999, 4500-5499, -1000", 10000, ((0, 999), (4500, 5499), (9000, 9999))),
    Row("bytes=\t0-9\t,\t20-29", 10000, ((0, 9), (20, 29))),
    Row("bytes=-1000,0-999", 10000, ((9000, 9999), (0, 999))),
    Row("bytes=0-499", 1234, ((0, 499),)),
    Row("bytes=500-999", 1234, ((500, 999),)),
    Row("bytes=500-", 1234, ((500, 1233),)),
    Row("bytes=-500", 1234, ((734, 1233),)),
    Row("bytes=0-99", 403, ((0, 99),)),
    Row("bytes=100-199", 403, ((100, 199),)),
    Row("bytes=200-299", 403, ((200, 299),)),
    Row("bytes=300-402", 403, ((300, 402),)),
    Row("bytes=300-403", 403, ((300, 402),)),
    Row("bytes=403-", 403, UNSATISFIABLE),
    Row("bytes=0-1198680", 2198680, ((0, 1198680),)),
    Row("bytes=1198681-", 2198680, ((1198681, 2198679),)),
    Row("bytes=0-801", 801, ((0, 800),)),
    Row("bytes=200-", 1024, ((200, 1023),)),
    Row("bytes=9999-20000", 10000, ((9999, 9999),)),
    Row("bytes=10000-", 10000, UNSATISFIABLE),
    Row("bytes=10000-10001", 10000, UNSATISFIABLE),
    Row("bytes=0-99999999999999999999999", 10000, ((0, 9999),)),
    Row("bytes=99999999999999999999999-", 10000, UNSATISFIABLE),
    Row("bytes=-99999", 10000, ((0, 9999),)),
    Row("bytes=-0", 10000, UNSATISFIABLE),
    Row("bytes=-0,0-0", 10000, ((0, 0),)),
    Row("bytes=5-4", 10000, WHOLE),
    Row("bytes=5-4,0-0", 10000, WHOLE),
    Row("bytes=20000-,0-9", 10000, ((0, 9),)),
    Row("bytes=20000-,30000-", 10000, UNSATISFIABLE),
    Row("bytes=", 10000, WHOLE),
    Row("bytes=,", 10000, WHOLE),
    Row("bytes=-", 10000, WHOLE),
    Row("bytes=--5", 10000, WHOLE),
    Row("bytes=0-1-2", 10000, WHOLE),
    Row("bytes=abc", 10000, WHOLE),
    Row("bytes=0x1-5", 10000, WHOLE),
    Row("bytes=1.5-3", 10000, WHOLE),
    Row("bytes=+1-5", 10000, WHOLE),
    Row("bytes=1_0-20", 10000, WHOLE),
    Row("bytes=0 - 9", 10000, WHOLE),
    Row("bytes=,0-9,,20-29,", 10000, ((0, 9), (20, 29))),
    Row("BYTES=0-9", 10000, ((0, 9),)),
    Row("bytes =0-9", 10000, WHOLE),
    Row("bytes: 0-9", 10000, WHOLE),
    Row("bytes 0-9", 10000, WHOLE),
    Row("items=0-9", 10000, WHOLE),
    Row("none=0-9", 10000, WHOLE),
    Row("bytes=0-", 0, WHOLE),
    Row("bytes=0-0", 0, WHOLE),
    Row("bytes=-5", 0, WHOLE),
    Row("bytes=5-", 0, WHOLE),
    Row("bytes=0-9999,0-9999", 10000, ((0, 9999),)),
    Row("bytes=1-,2-,3-", 10000, WHOLE),
    Row("bytes=0-9,5-14,10-19", 10000, ((0, 19),)),
    # Beyond the table: order, limits, octets that are no digits.
    Row("bytes=0-9,50-59,10-19", 10000, ((0, 19), (50, 59))),
    Row("bytes=50-59,0-9,60-69", 10000, ((50, 69), (0, 9))),
    Row(
        "bytes=" + ",".join(f"{n}0-{n}0" for n in range(16)),
        10000,
        tuple((n * 10, n * 10) for n in range(16)),
    ),
    Row("bytes=" + ",".join(f"{n}0-{n}0" for n in range(17)), 10000, WHOLE),
    Row("bytes=" + "9" * 5000 + "-", 10000, WHOLE),
    Row("bytes=\xb2-\xb3", 10000, WHOLE),
    Row("bytes=0-9, bytes=20-29", 10000, WHOLE),
    Row("", 10000, WHOLE),
]
