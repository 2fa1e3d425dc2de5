"""The commands of `invbi findings` and their options, as people type them."""

from pathlib import Path
from typing import Annotated

import typer

from invbi_pipeline.cli.output import Format
from invbi_pipeline.domain.words import FindingState, Severity

__all__ = ["findings"]

findings = typer.Typer(add_completion=False, rich_markup_mode="rich", invoke_without_command=True)

_USUAL = Path("invbi.toml")
_Ids = Annotated[list[str] | None, typer.Argument(help="Finding ids, or their first characters, as `invbi findings` shows them.")]
_Code = Annotated[str, typer.Option(help="Instead of ids: all open ones of this code, e.g. drift.")]
_System = Annotated[str, typer.Option(help="Instead of ids: all open ones of this system.")]
_By = Annotated[str, typer.Option(help="Who says so; by default the account you are logged in with.")]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before several are changed.")]
_Config = Annotated[Path | None, typer.Option("--config", "-c", help="The configuration.", envvar="INVBI_CONFIG")]
_Format = Annotated[Format, typer.Option("--format", "-f", help="How to print.")]


@findings.callback()
def listed(
    ctx: typer.Context,
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration.", envvar="INVBI_CONFIG")] = _USUAL,
    code: Annotated[str, typer.Option(help="Only this code, e.g. drift.")] = "",
    severity: Annotated[Severity | None, typer.Option(help="This severity or above.")] = None,
    system: Annotated[str, typer.Option(help="Only this system.")] = "",
    state: Annotated[FindingState | None, typer.Option(help="Only this state; by default all but resolved.")] = None,
    owner: Annotated[str, typer.Option(help="Only what is assigned to this person.")] = "",
    limit: Annotated[int, typer.Option(help="Most rows of a table; 0: all.", min=0)] = 50,
    fmt: _Format = Format.TABLE,
) -> None:
    """List what is wrong, most severe first, with why and what to do; or say who has seen it and who looks after it."""
    if ctx.invoked_subcommand is not None:
        return
    from invbi_pipeline.cli.reading import run_findings

    told = run_findings(config, code=code, severity=severity, system=system, state=state, owner=owner, limit=limit, fmt=fmt)
    raise typer.Exit(told)


@findings.command()
def ack(
    ctx: typer.Context,
    ids: _Ids = None,
    code: _Code = "",
    system: _System = "",
    by: _By = "",
    yes: _Yes = False,
    config: _Config = None,
) -> None:
    """Acknowledge: somebody has seen it. It stays so until it is over; if it comes back, it waits again."""
    from invbi_pipeline.cli.cases import run_ack

    raise typer.Exit(run_ack(_path(ctx, config), ids or [], code=code, system=system, by=by, yes=yes))


@findings.command()
def assign(
    ctx: typer.Context,
    ids: _Ids = None,
    to: Annotated[str, typer.Option(help="Who shall mend it.")] = "",
    due: Annotated[str, typer.Option(help="Until when: a day (its end, in the business's time zone) or a time, ISO 8601.")] = "",
    code: _Code = "",
    system: _System = "",
    by: _By = "",
    yes: _Yes = False,
    config: _Config = None,
) -> None:
    """Give it an owner, and a due date of your own if you like."""
    from invbi_pipeline.cli.cases import run_assign

    raise typer.Exit(run_assign(_path(ctx, config), ids or [], to=to, due=due, code=code, system=system, by=by, yes=yes))


@findings.command()
def note(
    ctx: typer.Context,
    words: Annotated[list[str], typer.Argument(help="Finding ids and then the note; with --code or --system the note alone.")],
    code: _Code = "",
    system: _System = "",
    by: _By = "",
    yes: _Yes = False,
    config: _Config = None,
) -> None:
    """Write a note on it. The newest is shown; `invbi findings show` has them all."""
    from invbi_pipeline.cli.cases import run_note

    raise typer.Exit(run_note(_path(ctx, config), words[:-1], words[-1], code=code, system=system, by=by, yes=yes))


@findings.command()
def show(
    ctx: typer.Context,
    finding_id: Annotated[str, typer.Argument(help="A finding's id, or its first characters.")],
    config: _Config = None,
    fmt: _Format = Format.TABLE,
) -> None:
    """Print all of one finding: the evidence, its life, and what people said of it, who and when."""
    from invbi_pipeline.cli.cases import run_show

    raise typer.Exit(run_show(_path(ctx, config), finding_id, fmt))


def _path(ctx: typer.Context, own: Path | None) -> Path:
    """Return the configuration that was named, after the command or before it."""
    before: Path = ctx.parent.params["config"] if ctx.parent else _USUAL
    return own or before
