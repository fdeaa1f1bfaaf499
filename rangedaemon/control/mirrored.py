"""A mirror as the API shows it: what was asked for, and how its latest round stands."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

Count = Annotated[int, Field(ge=0)]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class RoundObject(BaseModel):
    """One round of a mirror; counts of files but for ``folders``."""

    began: Moment
    ended: Moment | None
    folders: Count
    """Listings that were read."""
    found: Count
    """That are listed and wanted."""
    unchanged: Count
    """That one conditional request showed to be as they were."""
    fetched: Count
    failed: Count
    left: Count
    """That are still fetched, or wait for it."""
    gone: Count
    """That are here and not listed any more."""
    deleted: Count


class MirrorObject(BaseModel):
    """What a mirror is asked to do, and its latest round; null before the first."""

    include: list[str]
    exclude: list[str]
    depth: int | None
    delete: bool
    round: RoundObject | None
