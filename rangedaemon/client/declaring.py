"""Making the jobs what the configuration declares; or saying first what that would change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twisted.logger import Logger

from rangedaemon.client.runner import Runner
from rangedaemon.core.declared import (
    Change,
    Difference,
    OnRemoved,
    begins_anew,
    differences,
    rewished,
    wishes_of,
)
from rangedaemon.core.jobs import FINISHED, JobRecord, JobSpec, JobState
from rangedaemon.core.urls import apart

_log = Logger()


async def planned(runner: Runner, specs: Sequence[JobSpec]) -> list[Difference]:
    """What is not as declared."""
    apart_specs = [apart(spec) for spec in specs]
    declared = [replace(spec, declared=wishes_of(spec)) for spec in apart_specs]
    names = [spec.name for spec in declared if spec.name is not None]
    return differences(declared, await runner.known(names))


async def reconcile(runner: Runner, specs: Sequence[JobSpec], on_removed: OnRemoved) -> None:
    """Make the jobs what is declared: all new ones at once, the others one by one."""
    found = await planned(runner, specs)
    new = [each.spec for each in found if each.change is Change.NEW and each.spec is not None]
    if new:
        await runner.add(new)
    for each in found:
        if each.change is Change.CHANGED:
            await _change(runner, each)
        elif each.change is Change.REMOVED and each.record is not None:
            await _remove(runner, each.record, on_removed)


async def _change(runner: Runner, difference: Difference) -> None:
    spec, record = rewished(difference), difference.record
    if spec is None or record is None or difference.spec is None:
        return
    fields = ", ".join(change.field for change in difference.fields)
    _log.info("job {name}: declared otherwise: {fields}", name=difference.name, fields=fields)
    if begins_anew(difference):
        await runner.remove(record.id, delete_files=False)
        await runner.add([difference.spec])
    else:
        await runner.rewish(record.id, spec)


async def _remove(runner: Runner, record: JobRecord, on_removed: OnRemoved) -> None:
    if on_removed is OnRemoved.REMOVE:
        await runner.remove(record.id, delete_files=False)
    elif on_removed is OnRemoved.PAUSE and record.state not in {*FINISHED, JobState.PAUSED}:
        await runner.pause(record.id)
