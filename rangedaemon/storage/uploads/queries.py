"""
What the upload store asks the journal: one function per question, inside a transaction.

All block and none commits; `rangedaemon.storage.ports.Transactions` runs them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select, update

from rangedaemon.core.intervals import IntervalSet
from rangedaemon.core.uploadfaults import AlreadyFinished, UnknownUpload, UploadBusy, UploadGone
from rangedaemon.core.uploadrules import Limits, Usage, check_quota, check_unfinished
from rangedaemon.core.uploads import Scope, Upload, UploadState
from rangedaemon.storage.rows import pack_intervals
from rangedaemon.storage.schema import upload_tally, uploads
from rangedaemon.storage.uploads.rows import from_row, owner_column, to_row

_INSERT = insert(uploads)
_BY_KEY = select(uploads).where(uploads.c.key == bindparam("of_key"))
_UPDATE = update(uploads).where(uploads.c.key == bindparam("of_key"))
_DELETE = delete(uploads).where(uploads.c.key == bindparam("of_key"))
_OF_MOUNT = select(
    func.coalesce(func.sum(upload_tally.c.octets), 0),
    func.coalesce(func.sum(upload_tally.c.unfinished), 0),
).where(upload_tally.c.mount == bindparam("of_mount"))
_OF_OWNER = select(upload_tally.c.octets).where(
    upload_tally.c.mount == bindparam("of_mount"), upload_tally.c.owner == bindparam("of_owner")
)
_IN_STATE = (
    select(uploads).where(uploads.c.state == bindparam("in_state")).limit(bindparam("at_most"))
)
_DUE = _IN_STATE.where(uploads.c.expires <= bindparam("now")).order_by(
    uploads.c.expires, uploads.c.seq
)
_DONE = (UploadState.FINISHED, UploadState.KEPT)
_PUBLISHED = (
    select(uploads)
    .where(
        uploads.c.mount == bindparam("of_mount"),
        uploads.c.state.in_([state.value for state in _DONE]),
        uploads.c.reserved > 0,
    )
    .limit(bindparam("at_most"))
)


def get(connection: Connection, key: str) -> Upload | None:
    """One upload in whatever state, None where there is none."""
    row = connection.execute(_BY_KEY, {"of_key": key}).mappings().first()
    return None if row is None else from_row(row)


def usage(connection: Connection, scope: Scope) -> Usage:
    """What the uploads of a mount, and of an owner there, take."""
    octets, unfinished = connection.execute(_OF_MOUNT, {"of_mount": scope.mount}).one()
    whose = {"of_mount": scope.mount, "of_owner": owner_column(scope)}
    of_owner = connection.execute(_OF_OWNER, whose).scalar() or 0
    return Usage(octets, of_owner, unfinished)


def add(
    connection: Connection, upload: Upload, limits: Limits, now: float, *, over: bool
) -> Upload:
    """
    Insert it where the quotas allow.

    :param over: whether one that is finished or gone makes way for it.
    :raises QuotaExceeded, TooManyUploads, UploadBusy, AlreadyFinished, UploadGone: no.
    """
    _make_way(connection, upload.key, now, over=over)
    taken = usage(connection, upload.scope)
    check_unfinished(taken, limits)
    check_quota(taken, upload.reserved, limits)
    connection.execute(_INSERT, to_row(upload))
    return upload


def _make_way(connection: Connection, key: str, now: float, *, over: bool) -> None:
    """Give an upload of the same key, whose time is over, another one: the sweep takes it."""
    old = get(connection, key)
    if old is None:
        return
    if old.state in (UploadState.OPEN, UploadState.PUBLISHING):
        if old.expires > now:
            raise UploadBusy("an upload of that id is under way; finish or terminate it first")
    elif not over and old.state is UploadState.FINISHED:
        raise AlreadyFinished("the upload of that id is finished; choose another id")
    elif not over and old.state is UploadState.GONE:
        raise UploadGone("the upload of that id is gone; choose another id")
    state = UploadState.KEPT if old.state in _DONE else old.state
    aside = f"{key}~{old.file}"
    connection.execute(_UPDATE, {"of_key": key, "key": aside, "state": state.value})


def set_length(connection: Connection, key: str, length: int, limits: Limits) -> None:
    """
    Keep the length, which counts from now on.

    :raises QuotaExceeded: the mount or its owner has no room for it.
    """
    upload = _open(connection, key)
    _check(connection, upload, length, limits)
    connection.execute(_UPDATE, {"of_key": key, "length": length, "reserved": length})


def announce(connection: Connection, key: str, octets: int, limits: Limits) -> int:
    """
    Let *octets* in all count for an upload whose length is not known.

    :returns: what counts now.
    :raises QuotaExceeded: the mount or its owner has no room for them.
    """
    upload = _open(connection, key)
    wanted = _wanted(upload, octets)
    _check(connection, upload, wanted, limits)
    connection.execute(_UPDATE, {"of_key": key, "reserved": wanted})
    return wanted


def save_arrived(
    connection: Connection,
    key: str,
    arrived: IntervalSet,
    announced: int,
    expires: float,
    limits: Limits,
) -> int:
    """
    Claim octets that are synced.

    :param announced: the position up to which requests have told to bring more.
    :returns: what counts now.
    :raises QuotaExceeded: more came than was announced, and there is no room.
    :raises UploadGone: it was terminated meanwhile.
    """
    wanted = announce(connection, key, max(arrived.total, announced), limits)
    values = {"of_key": key, "arrived": pack_intervals(arrived), "expires": expires}
    connection.execute(_UPDATE, values)
    return wanted


def _wanted(upload: Upload, octets: int) -> int:
    return octets if upload.length is None else upload.length


def _check(connection: Connection, upload: Upload, octets: int, limits: Limits) -> None:
    check_quota(usage(connection, upload.scope), octets - upload.reserved, limits)


def _open(connection: Connection, key: str) -> Upload:
    upload = get(connection, key)
    if upload is None:
        raise UnknownUpload("there is no such upload any more")
    if upload.state is not UploadState.OPEN:
        raise UploadGone("the upload takes no octets any more")
    return upload


def move(
    connection: Connection,
    key: str,
    state: UploadState,
    expires: float,
    *,
    path: Path | None = None,
) -> Upload:
    """
    Put it into another state; what is gone counts no more.

    :raises UnknownUpload: there is none.
    """
    upload = get(connection, key)
    if upload is None:
        raise UnknownUpload("there is no such upload any more")
    reserved = 0 if state is UploadState.GONE else upload.reserved
    moved = replace(upload, state=state, expires=expires, path=path, reserved=reserved)
    row = to_row(moved)
    values = {name: row[name] for name in ("state", "expires", "path", "reserved")}
    connection.execute(_UPDATE, values | {"of_key": key})
    return moved


def remove(connection: Connection, key: str) -> None:
    """Forget it; nothing happens where there is none."""
    connection.execute(_DELETE, {"of_key": key})


def due(connection: Connection, now: float, limit: int) -> Sequence[Upload]:
    """At most *limit* uploads of each state whose time has come, earliest first."""
    found: list[Upload] = []
    for state in UploadState:
        found += _all(connection, _DUE, {"in_state": state.value, "now": now, "at_most": limit})
    return found


def expire_by(connection: Connection, keys: Collection[str], at: float) -> None:
    """Let unfinished uploads expire at that time, if they would not before."""
    connection.execute(
        update(uploads).where(
            uploads.c.key.in_(keys),
            uploads.c.state == UploadState.OPEN.value,
            uploads.c.expires > at,
        ),
        {"expires": at},
    )


def published(connection: Connection, mount: str, limit: int) -> Sequence[Upload]:
    """At most *limit* finished uploads of a mount that count against quotas."""
    return _all(connection, _PUBLISHED, {"of_mount": mount, "at_most": limit})


def give_back(connection: Connection, keys: Iterable[str]) -> None:
    """Let uploads count no more: their files are gone."""
    for key in keys:
        connection.execute(_UPDATE, {"of_key": key, "reserved": 0})


def publishing(connection: Connection, limit: int) -> Sequence[Upload]:
    """Uploads that are on their way to their final names."""
    state = UploadState.PUBLISHING.value
    return _all(connection, _IN_STATE, {"in_state": state, "at_most": limit})


def _all(connection: Connection, query: Select[Any], values: Mapping[str, Any]) -> list[Upload]:
    return [from_row(row) for row in connection.execute(query, values).mappings()]
