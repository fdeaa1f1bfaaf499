"""
An upload as a row of the journal, and back.

Pure.  What only the protocols ask for is one JSON text; what queries ask for are columns.
Texts from outside are JSON with ASCII escapes, so that whatever a `str` can hold survives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rangedaemon.core.uploads import Scope, Upload, UploadProtocol, UploadState
from rangedaemon.errors import JournalDamaged
from rangedaemon.storage.rows import Row, pack_intervals, unpack_intervals

_PLAIN = ("key", "file", "length", "reserved", "created", "expires")
_WISH = ("id", "name", "directory", "media_type", "metadata", "partial", "parts", "digest")

_encode = json.JSONEncoder(separators=(",", ":")).encode


def to_row(upload: Upload) -> Row:
    """The columns of *upload*, all but ``seq``, which the journal gives."""
    row: Row = {name: getattr(upload, name) for name in _PLAIN}
    wish: dict[str, Any] = {name: getattr(upload, name) for name in _WISH}
    wish["metadata"] = dict(upload.metadata)
    wish["protocol"] = upload.scope.protocol.value
    row["mount"] = upload.scope.mount
    row["owner"] = owner_column(upload.scope)
    row["state"] = upload.state.value
    row["wish"] = _encode(wish)
    row["arrived"] = pack_intervals(upload.arrived)
    row["path"] = None if upload.path is None else _encode(str(upload.path))
    return row


def owner_column(scope: Scope) -> str:
    """An owner as the tables have it: ``null`` for the anonymous, else a JSON string."""
    return _encode(scope.owner)


def from_row(row: Mapping[Any, Any]) -> Upload:
    """
    The upload of a row.

    :raises JournalDamaged: the row holds what we never wrote.
    """
    try:
        wish = json.loads(row["wish"])
        protocol = UploadProtocol(wish.pop("protocol"))
        wish["directory"] = tuple(wish["directory"])
        wish["parts"] = None if wish["parts"] is None else tuple(wish["parts"])
        return Upload(
            **{name: row[name] for name in _PLAIN},
            **wish,
            scope=Scope(row["mount"], protocol, json.loads(row["owner"])),
            state=UploadState(row["state"]),
            arrived=unpack_intervals(row["arrived"]),
            path=None if row["path"] is None else Path(json.loads(row["path"])),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise JournalDamaged(
            f"the journal's row of upload {row['seq']} cannot be read ({error!r}); "
            "restore a backup of the journal"
        ) from error
