"""The commands of `invbi map` and their options, as people type them."""

from pathlib import Path
from typing import Annotated

import typer

from invbi_pipeline.cli.output import Format

__all__ = ["map_"]

map_ = typer.Typer(add_completion=False, rich_markup_mode="rich", invoke_without_command=True)

_Config = Annotated[Path | None, typer.Option("--config", "-c", help="The configuration.", envvar="INVBI_CONFIG")]
_Format = Annotated[Format, typer.Option("--format", "-f", help="How to print.")]
_System = Annotated[str, typer.Argument(help="The system's name in the configuration.")]
_Listing = Annotated[str, typer.Argument(help="A listing key, or a code that only one listing of the system has.")]
_Sku = Annotated[str, typer.Argument(help="The master SKU, or a kit's.")]
_By = Annotated[str, typer.Option(help="Who says so; by default the account you are logged in with.")]
_Since = Annotated[
    str, typer.Option(help="From when it is so (2026-11-20T14:30). Without it, what was accepted before was a mistake all along.")
]
_DEFAULT_CONFIG = Path("invbi.toml")


@map_.callback()
def listed(
    ctx: typer.Context,
    config: _Config = None,
    limit: Annotated[int, typer.Option(help="Most rows of a table; 0: all.", min=0)] = 50,
    fmt: _Format = Format.TABLE,
) -> None:
    """List what belongs to no SKU or may be several, with what each may be and why; or say which one it is."""
    ctx.obj = config
    if ctx.invoked_subcommand is not None:
        return
    from invbi_pipeline.cli.mapping import run_map

    raise typer.Exit(run_map(_path(ctx, config), limit=limit, fmt=fmt))


@map_.command()
def accept(
    ctx: typer.Context,
    system: Annotated[str, typer.Argument(help="The system's name; or, alone, a finding's id: its likeliest SKU is taken.")],
    listing: Annotated[str, typer.Argument(help="A listing key, or a code that only one listing of the system has.")] = "",
    sku: Annotated[str, typer.Argument(help="The master SKU, or a kit's.")] = "",
    units: Annotated[int | None, typer.Option(help="Units of the SKU that one listing sells: a pack. By default 1.")] = None,
    since: _Since = "",
    by: _By = "",
    config: _Config = None,
) -> None:
    """Say which SKU a listing is. The next run maps it so, before any equal code."""
    from invbi_pipeline.cli.mapping import run_accept

    raise typer.Exit(run_accept(_path(ctx, config), system, listing, sku, units=units, since=since, by=by))


@map_.command()
def reject(
    ctx: typer.Context,
    system: _System,
    listing: _Listing,
    sku: _Sku,
    since: _Since = "",
    by: _By = "",
    config: _Config = None,
) -> None:
    """Say that a listing is not this SKU: it is neither suggested nor mapped by its code, and an acceptance is taken back."""
    from invbi_pipeline.cli.mapping import run_reject

    raise typer.Exit(run_reject(_path(ctx, config), system, listing, sku, since=since, by=by))


@map_.command()
def show(ctx: typer.Context, listing: _Listing, config: _Config = None, fmt: _Format = Format.TABLE) -> None:
    """Print what a listing was mapped to, from when to when, and who decided what."""
    from invbi_pipeline.cli.mapping import run_show_mapping

    raise typer.Exit(run_show_mapping(_path(ctx, config), listing, fmt))


def _path(ctx: typer.Context, config: Path | None) -> Path:
    """The configuration, wherever on the line it was named."""
    return config or ctx.obj or _DEFAULT_CONFIG
