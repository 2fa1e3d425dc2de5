"""`invbi init` and `invbi check`."""

import asyncio
import shutil
from pathlib import Path

import polars as pl

import invbi_pipeline
from invbi_pipeline.channels.protocol import Health
from invbi_pipeline.cli.output import Exit, Format, emit, out, say
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
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(_SAMPLE.iterdir()):
        shutil.copyfile(path, folder / path.name)
        out.print(f"wrote {folder / path.name}")
    say(f"Next: edit {folder / 'invbi.toml'}, set the environment variables it names, and run `invbi check`.")
    return Exit.DONE


def run_check(path: Path, fmt: Format) -> int:
    """Check files first, then every system at once; a system that does not answer is a row, not a stop."""
    config = load_config(path)
    read_declared(config)
    rows = asyncio.run(_ask(config))
    emit(pl.DataFrame(rows, schema=["system", "what", "ok", "to_do"], orient="row"), fmt, title="Systems")
    return Exit.DONE if all(ok == "yes" for _, _, ok, _ in rows) else Exit.PARTLY


async def _ask(config: Config) -> list[tuple[str, str, str, str]]:
    async with open_context(config) as ctx:
        answers = await asyncio.gather(*(_health(ctx, name) for name in ctx.channels))
    return [(h.system, what, "yes" if ok else "no", todo) for h in answers for what, ok, todo in h.rows]


async def _health(ctx: Context, name: str) -> Health:
    try:
        return await ctx.channels[name].check()
    except InvbiError as trouble:
        return Health(name, (("answers", False, str(trouble)),))
