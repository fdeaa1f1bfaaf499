"""
An origin that does everything wrong, one fault at a time, on request.

The address says what goes wrong: every part of the path but the last is a fault,
the last is the name of the file, the query gives its size and seed::

    http://127.0.0.1:PORT/rate=64KiB/status=503~first2/data.bin?size=10MiB&seed=7

Faults are ``word``, ``word=argument``, with conditions appended by ``~``:
``~first3`` (the first three requests of that address), ``~after3`` (all later
ones), ``~only2``, ``~every2``, ``~conn2`` (the second connection that asks for
that address), ``~ranged`` and ``~whole`` (with and without a Range field).
The words stand in the tables of `tests.hostile.scenes` (what the representation
is), `tests.hostile.instead` (another answer instead) and `tests.hostile.faults`
(what is wrong with the answer).  Without any fault it is a correct range server.
"""

from tests.hostile.content import content, difference, write_content
from tests.hostile.ledger import Exchange, Ledger
from tests.hostile.origin import HostileOrigin

__all__ = ["Exchange", "HostileOrigin", "Ledger", "content", "difference", "write_content"]
