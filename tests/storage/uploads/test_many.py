"""10,000 unfinished uploads cost nothing at start: counted in queries and opened files."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, event

from rangedaemon.core.uploadrules import Limits
from rangedaemon.core.uploads import Upload
from rangedaemon.storage.journal import Journal
from rangedaemon.storage.threads import inline
from rangedaemon.storage.uploads import queries
from tests.storage.uploads.case import START, TUS, UploadsCase

MANY = 10_000


class ManyTests(UploadsCase):
    """Tests with many unfinished uploads."""

    def setUp(self) -> None:
        """Make them, each with an octet on the disk as far as the journal knows."""
        super().setUp()
        self.reopen(max_unfinished=None)
        self.model = self.send(self.create(2), b"x")
        self.statements: list[str] = []
        self.touched: list[str] = []

        def add_all(connection: Connection) -> None:
            for number in range(MANY):
                queries.add(connection, self.numbered(number), Limits(), START, over=False)

        self.now(self.journal.transact(add_all))

    def numbered(self, number: int) -> Upload:
        """One of them."""
        name = f"{number:032x}"
        return replace(self.model, key=name, id=name, file=f"{name}.part")

    def watch(self) -> None:
        """Count what is asked of SQLite and of the system from now on."""
        for name in ("open", "stat", "lstat", "scandir", "listdir"):
            self.patch(os, name, self._counted(name, getattr(os, name)))
        engine = self.journal._opened.engine

        def executed(*args: Any) -> None:
            self.statements.append(args[2])

        event.listen(engine, "before_cursor_execute", executed)
        self.addCleanup(event.remove, engine, "before_cursor_execute", executed)

    def _counted(self, name: str, call: Any) -> Any:
        def counted(*args: Any, **named: Any) -> Any:
            if args and str(args[0]).endswith(".part"):
                self.touched.append(f"{name} {args[0]}")
            return call(*args, **named)

        return counted

    def test_opening(self) -> None:
        """Opening asks nothing of anybody."""
        self.watch()
        self.reopen()
        self.assertEqual((self.statements, self.touched), ([], []))

    def test_sweeping(self) -> None:
        """A sweep with nothing due asks each state once, by an index, and touches no file."""
        self.watch()
        self.sweep()
        self.assertEqual(self.touched, [])
        selects = [statement for statement in self.statements if "SELECT" in statement]
        self.assertLessEqual(len(selects), 6)
        raw = self.journal._opened.connection.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        for statement in selects:
            values = [1 for _ in range(statement.count("?"))]
            plan = str(raw.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall())
            self.assertIn("USING INDEX uploads_by_expiry", plan)
            self.assertNotIn("TEMP B-TREE", plan)

    def test_one_of_them(self) -> None:
        """Who asks for one pays for one; quotas are not counted anew."""
        self.watch()
        self.failing(Exception, self.store.find(TUS, "f" * 32))
        found = self.now(self.store.find(TUS, self.model.id))
        self.assertEqual(found.offset, 1)
        self.create(1)
        self.assertLessEqual(len(self.touched), 1)
        self.assertLess(len(self.statements), 16)
        self.assertFalse([s for s in self.statements if "sum(uploads." in s])

    def test_journal(self) -> None:
        """A new life of the daemon asks the journal as often as with none of them."""
        with_many = self.statements_of_a_start()
        self.now(self.journal.transact(_remove_all))
        self.assertEqual(self.statements_of_a_start(), with_many)
        self.assertGreater(with_many, 0)

    def statements_of_a_start(self) -> int:
        """How many statements a start asks of SQLite."""
        self.now(self.journal.close())
        statements: list[str] = []
        connect = sqlite3.connect

        def traced(*args: Any, **named: Any) -> sqlite3.Connection:
            connection = connect(*args, **named)
            connection.set_trace_callback(statements.append)
            return connection

        patch = self.patch(sqlite3, "connect", traced)
        self.journal = self.now(Journal.open(self.state / "journal.sqlite", in_thread=inline))
        self.reopen()
        patch.restore()
        return len(statements)


def _remove_all(connection: Connection) -> None:
    connection.exec_driver_sql("DELETE FROM uploads")
