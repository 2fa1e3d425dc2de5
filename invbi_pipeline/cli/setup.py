"""`invbi init` and `invbi check`."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

import invbi_pipeline
from invbi_pipeline.alerts.post import misspelt
from invbi_pipeline.channels.protocol import Health
from invbi_pipeline.cli.output import Exit, Format, emit, out, plain, say
from invbi_pipeline.cli.plans import known_systems
from invbi_pipeline.cli.reading import open_warehouse
from invbi_pipeline.config import Config, load_config
from invbi_pipeline.domain.readiness import NOTHING_TO_PUSH
from invbi_pipeline.errors import ConfigError, InvbiError
from invbi_pipeline.flows.context import Context, open_context
from invbi_pipeline.flows.corrections.readiness import ready
from invbi_pipeline.flows.decision.unplaced import unplaced
from invbi_pipeline.flows.feeds.lease import held_until
from invbi_pipeline.flows.tell import last_ended, silent_for
from invbi_pipeline.live.pollers import last_sweeps
from invbi_pipeline.live.subscriptions import Look, look, must_have_an_address
from invbi_pipeline.store.declared_files import read_declared

__all__ = ["run_check", "run_init", "run_readiness", "unplaced_rows"]

_TOPICS = 3  # that are named where several are lacking for one reason
_SAMPLE = Path(invbi_pipeline.__file__).parents[1] / "data" / "sample"


def run_init(folder: Path, *, force: bool) -> int:
    """Copy the sample configuration; refuse to replace a file unless told to."""
    there = [folder / path.name for path in _SAMPLE.iterdir() if (folder / path.name).exists()]
    if there and not force:
        raise ConfigError(
            f"{folder} has files of these names already; nothing was written.",
            [(str(path), "a name that is free", "choose another folder, or add --force") for path in sorted(there)],
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(_SAMPLE.iterdir()):
            shutil.copyfile(path, folder / path.name)
            out.print(f"wrote {plain(str(folder / path.name))}")
    except OSError as trouble:
        raise ConfigError(
            f"Cannot write into {folder}: {trouble.strerror}.",
            [(str(trouble.filename or folder), "a folder that can be written", "name another, or make it writable")],
        ) from trouble
    say(f"Next: edit {folder / 'invbi.toml'}, set the environment variables it names, and run `invbi check`.")
    return Exit.DONE


def run_readiness(path: Path, systems: Sequence[str], fmt: Format) -> int:
    """Say what stands between each system and its next mode, from what the last run left; nobody is called.

    Return `Exit.HELD` where something blocks one of those that are told.
    """
    config, _ = open_warehouse(path)
    named = known_systems(config, systems)

    async def work() -> pl.DataFrame:
        async with open_context(config) as ctx:
            return ready(ctx)

    found = asyncio.run(work())
    found = found.filter(pl.col("system").is_in(named)) if named else found
    if fmt is Format.TABLE:
        for mine in found.partition_by("system", maintain_order=True):
            _print_readiness(mine)
    else:
        emit(found, fmt)
    return Exit.HELD if found["blocks"].any() else Exit.DONE


def _print_readiness(rows: pl.DataFrame) -> None:
    system, mode, after = rows.select("system", "mode", "next").row(0)
    blocks = pl.when("blocks").then(pl.lit("blocks")).otherwise(pl.lit(""))
    value = pl.format("{} {}", pl.col("value").cast(pl.String).str.replace(r"\.0$", ""), "unit")
    told = rows.select("measure", value=value, blocks=blocks, to_do="to_do")
    emit(told, Format.TABLE, title=f"{system}: mode {mode}")
    blocking = rows.filter("blocks")["measure"].to_list()
    idle = rows.filter(pl.col("measure") == NOTHING_TO_PUSH)["to_do"].to_list()
    if idle:
        out.print(f"It has nothing to push in any mode: {plain(idle[0])}.\n")
    elif not after:
        out.print("It is in the last mode.\n")
    elif blocking:
        out.print(f"Not ready for mode {after}: {plain(', '.join(blocking))}.\n")
    else:
        out.print(f"Nothing blocks mode {after}.\n")


def run_check(path: Path, fmt: Format, *, register: bool = False) -> int:
    """Check files first, then every system at once; a system that does not answer is a row, not a stop."""
    config = load_config(path)
    if register:
        must_have_an_address(config)
    rows = asyncio.run(_ask(config, register=register))
    emit(pl.DataFrame(rows, schema=["system", "what", "ok", "to_do"], orient="row"), fmt, title="Systems")
    return Exit.DONE if all(ok == "yes" for _, _, ok, _ in rows) else Exit.PARTLY


async def _ask(config: Config, *, register: bool) -> list[tuple[str, str, str, str]]:
    async with open_context(config) as ctx:
        answers = await asyncio.gather(*(_health(ctx, name) for name in ctx.channels))
        told = await look(ctx, mend=register)
        _warn_of_strangers(ctx)
        own = [*_last_run(ctx), *_alerted(config), *unplaced_rows(ctx), *_announced(told), *_swept(ctx)]
    return own + [(h.system, what, "yes" if ok else "no", "" if ok else todo) for h in answers for what, ok, todo in h.rows]


def _last_run(ctx: Context) -> list[tuple[str, str, str, str]]:
    """Say of invbi itself whether its last run is too long ago. Before a first run there is nothing to say."""
    now, ended = ctx.clock.now(), last_ended(ctx.state)
    if ended is None:
        return []
    silent = silent_for(ctx.config, ctx.state, now)
    what = f"last run ended {ended:%Y-%m-%d %H:%M} UTC"
    mend = "no run has ended since: start the schedule (`invbi ui`), or see why runs fail (alerts.silent_after_s is the limit)"
    return [("invbi", what, "yes" if silent is None else "no", "" if silent is None else mend)]


def _alerted(config: Config) -> Iterator[tuple[str, str, str, str]]:
    """Say of the addresses for alerts which are none: what is never delivered is missed by nobody."""
    urls = config.alerts.urls
    for at in misspelt([url.read() for url in urls]) if urls else ():
        mend = f"correct the value of {urls[at].env}: apprise's pages say how an address is written"
        yield "invbi", f"alerts.urls.{at} is an address", "no", mend


def _announced(told: Mapping[str, Look]) -> Iterator[tuple[str, str, str, str]]:
    """Say of each system that can tell of events what it does not tell and why; one row where it tells of everything."""
    for name, one in told.items():
        if one.trouble:
            yield name, "tells of its events", "no", one.trouble
        for to_do in dict.fromkeys(each.to_do for each in one.lacking):
            topics = [each.topic for each in one.lacking if each.to_do == to_do]
            more = f" and {len(topics) - _TOPICS} more" if len(topics) > _TOPICS else ""
            yield name, f"tells of {', '.join(topics[:_TOPICS])}{more}", "no", to_do
        if one.stands:
            made = Counter(str(each.standing) for each in one.found)
            yield name, f"tells of its events: {', '.join(f'{n} {what}' for what, n in made.items())}", "yes", ""


def _swept(ctx: Context) -> Iterator[tuple[str, str, str, str]]:
    """Say how often the event process really looks at each system, where one runs."""
    until, now = held_until(ctx.state), ctx.clock.now()
    if until is None:
        return
    alive = until >= now
    mend = "start `invbi serve`, or let the schedule alone do it"
    yield "invbi", "the event process runs", "yes" if alive else "no", "" if alive else mend
    for name, one in last_sweeps(ctx.state.marks("sweep:")).items() if alive else ():
        if name in ctx.channels and one.every_s is not None:
            yield name, f"looked at every {one.every_s:.0f} s, last at {one.at:%H:%M:%S} UTC", "yes", ""


def unplaced_rows(ctx: Context) -> list[tuple[str, str, str, str]]:
    """Say of places that hold stock and that nobody named, as the last run read them. Before a first run nobody can tell."""
    if last_ended(ctx.state) is None:
        return []
    try:
        with ctx.warehouse.open() as db:
            found = unplaced(db) if db.exists("staging.stg_observations") else None
    except InvbiError as trouble:  # a run holds the warehouse
        say(f"The locations are not compared with what was read: {trouble}")
        return []
    named = () if found is None else found.select("system", "location_key").iter_rows()
    mend = "its stock counts nowhere: name it in systems.{}.locations"
    return [(system, f"location {key} is one of ours", "no", mend.format(system)) for system, key in named]


def _warn_of_strangers(ctx: Context) -> None:
    """Say which policies name a SKU that the last run did not know. Before a first run nobody can tell."""
    if not (ctx.config.data / ctx.config.store.warehouse).exists():
        return
    try:
        known = [ctx.warehouse.read(table)["sku"] for table in ("truth.mappings", "truth.positions")]
    except InvbiError as trouble:  # a run holds the warehouse
        say(f"The SKUs in policies are not compared with the catalogue: {trouble}")
        return
    if any(map(len, known)) and (strangers := read_declared(ctx.config).strangers(pl.concat(known))):
        shown = ", ".join(strangers[:10]) + (f" and {len(strangers) - 10} more" if len(strangers) > 10 else "")
        say(f"Warning: {ctx.config.policies.policies} names SKUs that no catalogue has, and does nothing for them: {shown}")


async def _health(ctx: Context, name: str) -> Health:
    try:
        return await ctx.channels[name].check()
    except InvbiError as trouble:
        return Health(name, (("answers", False, str(trouble)),))
