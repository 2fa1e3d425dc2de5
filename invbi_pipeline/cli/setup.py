"""`invbi init` and `invbi check`."""

import asyncio
import shutil
from pathlib import Path

import polars as pl

import invbi_pipeline
from invbi_pipeline.channels.protocol import Health
from invbi_pipeline.cli.output import Exit, Format, emit, out, plain, say
from invbi_pipeline.config import Config, load_config
from invbi_pipeline.errors import ConfigError, InvbiError
from invbi_pipeline.flows.context import Context, open_context
from invbi_pipeline.store.declared_files import read_declared

__all__ = ["run_check", "run_init"]

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


def run_check(path: Path, fmt: Format) -> int:
    """Check files first, then every system at once; a system that does not answer is a row, not a stop."""
    config = load_config(path)
    rows = asyncio.run(_ask(config))
    emit(pl.DataFrame(rows, schema=["system", "what", "ok", "to_do"], orient="row"), fmt, title="Systems")
    return Exit.DONE if all(ok == "yes" for _, _, ok, _ in rows) else Exit.PARTLY


async def _ask(config: Config) -> list[tuple[str, str, str, str]]:
    async with open_context(config) as ctx:
        answers = await asyncio.gather(*(_health(ctx, name) for name in ctx.channels))
        _warn_of_strangers(ctx)
    return [(h.system, what, "yes" if ok else "no", "" if ok else todo) for h in answers for what, ok, todo in h.rows]


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
