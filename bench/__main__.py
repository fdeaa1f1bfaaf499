"""The command line of the benchmarks."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from bench import machine
from bench.contenders import Failed
from bench.peers import absent, installed
from bench.servers import absent as servers_absent
from bench.stage import Stage
from bench.works import GROUPS, WORKS, expanded
from tests.hostile.asks import octets


def _octets(_context: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    try:
        return None if value is None else octets(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.option(
    "--only", multiple=True, type=click.Choice(sorted([*WORKS, *GROUPS])), help="These works."
)
@click.option("--size", callback=_octets, help="Size of the file, as 512MiB; default: per work.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--peer", "peers", multiple=True, help="These peers instead of all installed.")
@click.option("--server", "servers", multiple=True, help="These servers instead of all.")
@click.option("--ours/--no-ours", default=True, help="Whether our daemon takes part.")
@click.option("--directory", type=click.Path(path_type=Path), help="Where files go for the while.")
def main(
    only: tuple[str, ...],
    size: int | None,
    rounds: int,
    peers: tuple[str, ...],
    servers: tuple[str, ...],
    ours: bool,
    directory: Path | None,
) -> None:
    """Measure rangedaemon beside its peers; tables as reStructuredText."""
    click.echo(f"{machine.describe()}; load {machine.load():.1f}\n")
    if missing := [*absent(), *servers_absent()]:
        click.echo(f"Not installed, left out: {', '.join(missing)}.\n")
    contenders = [name for name in installed() if not peers or name in peers]
    for name in expanded(only):
        with tempfile.TemporaryDirectory(prefix="rangedaemon-bench-", dir=directory) as place:
            stage = Stage(Path(place), rounds, size, contenders, ours, servers)
            with stage.stack:
                click.echo(_run(name, stage))


def _run(name: str, stage: Stage) -> str:
    try:
        return WORKS[name](stage)
    except (Failed, AssertionError, TimeoutError) as error:
        return f"{name}: not measured: {error}\n"


if __name__ == "__main__":
    main()
