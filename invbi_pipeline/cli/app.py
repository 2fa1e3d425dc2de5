"""The commands of `invbi` and their options, as people type them."""

from pathlib import Path
from typing import Annotated

import typer

from invbi_pipeline import __version__
from invbi_pipeline.cli.output import Format
from invbi_pipeline.domain.words import FindingState, Severity

__all__ = ["app"]

app = typer.Typer(
    name="invbi",
    help="Reconciles the stock numbers of every channel: what each should show, why it does not, and the proof it was mended.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

ConfigPath = Annotated[Path, typer.Option("--config", "-c", help="The configuration.", envvar="INVBI_CONFIG")]
AnyFormat = Annotated[Format, typer.Option("--format", "-f", help="How to print.")]
Limit = Annotated[int, typer.Option(help="Most rows of a table; 0: all.", min=0)]
DEFAULT_CONFIG = Path("invbi.toml")


def _version(value: bool) -> None:
    if value:
        typer.echo(f"invbi {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Hold the options of every command."""


@app.command()
def demo(
    seed: Annotated[int, typer.Option(help="The world's seed: one seed is one universe.")] = 1,
    skus: Annotated[int, typer.Option(help="How many SKUs the retailer sells.", min=20)] = 2000,
    preset: Annotated[str, typer.Option(help="till_master, shopify_hub or erp_master.")] = "till_master",
    folder: Annotated[Path | None, typer.Option(help="Where to work; by default a new folder under data/demo.")] = None,
    fmt: AnyFormat = Format.TABLE,
) -> None:
    """Show the whole loop on an emulated retailer: read, compare, explain, correct, prove, publish."""
    from invbi_pipeline.cli.demo import run_demo

    raise typer.Exit(run_demo(seed=seed, skus=skus, preset=preset, folder=folder, fmt=fmt))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to write it.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Write a sample configuration with its policy files."""
    from invbi_pipeline.cli.setup import run_init

    raise typer.Exit(run_init(folder, force=force))


@app.command()
def check(config: ConfigPath = DEFAULT_CONFIG, fmt: AnyFormat = Format.TABLE) -> None:
    """Check the configuration, the policy files, the secrets, and whether each system answers."""
    from invbi_pipeline.cli.setup import run_check

    raise typer.Exit(run_check(config, fmt))


@app.command()
def run(
    config: ConfigPath = DEFAULT_CONFIG,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan and print; send nothing.")] = False,
    fail_on: Annotated[Severity | None, typer.Option(help="Exit 1 when a finding of this severity or above is open.")] = None,
    fmt: AnyFormat = Format.TABLE,
) -> None:
    """Read every system, compare, find, correct within the guards, prove, publish."""
    from invbi_pipeline.cli.work import run_run

    raise typer.Exit(run_run(config, dry_run=dry_run, fail_on=fail_on, fmt=fmt))


@app.command()
def findings(
    config: ConfigPath = DEFAULT_CONFIG,
    code: Annotated[str, typer.Option(help="Only this code, e.g. drift.")] = "",
    severity: Annotated[Severity | None, typer.Option(help="This severity or above.")] = None,
    system: Annotated[str, typer.Option(help="Only this system.")] = "",
    state: Annotated[FindingState | None, typer.Option(help="Only this state; by default all but resolved.")] = None,
    limit: Limit = 50,
    fmt: AnyFormat = Format.TABLE,
) -> None:
    """List what is wrong, most severe first, with why and what to do."""
    from invbi_pipeline.cli.reading import run_findings

    raise typer.Exit(run_findings(config, code=code, severity=severity, system=system, state=state, limit=limit, fmt=fmt))


@app.command()
def explain(
    sku: Annotated[str, typer.Argument(help="A master SKU, a listing key or a raw SKU.")],
    config: ConfigPath = DEFAULT_CONFIG,
    fmt: AnyFormat = Format.TABLE,
) -> None:
    """Print what made a SKU's numbers what they are: base, events, expected, reported, offer with every deduction."""
    from invbi_pipeline.cli.reading import run_explain

    raise typer.Exit(run_explain(config, sku, fmt))


@app.command()
def plan(
    config: ConfigPath = DEFAULT_CONFIG,
    limit: Limit = 50,
    fmt: AnyFormat = Format.TABLE,
) -> None:
    """Print the corrections that wait to be sent or approved, largest risk first, with what each guard says."""
    from invbi_pipeline.cli.work import run_plan

    raise typer.Exit(run_plan(config, limit=limit, fmt=fmt))


@app.command()
def approve(
    ids: Annotated[list[str] | None, typer.Argument(help="Correction ids, as `invbi plan` shows them.")] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    everything: Annotated[bool, typer.Option("--all", help="Approve all that waits.")] = False,
    note: Annotated[str, typer.Option(help="Why; kept with the approval.")] = "",
) -> None:
    """Release corrections that wait for a person; `invbi push` or the next run sends them."""
    from invbi_pipeline.cli.work import run_approve

    raise typer.Exit(run_approve(config, ids or [], everything=everything, note=note))


@app.command()
def push(
    config: ConfigPath = DEFAULT_CONFIG,
    system: Annotated[list[str] | None, typer.Option(help="Only this system; may be repeated.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be sent; send nothing.")] = False,
    fmt: AnyFormat = Format.TABLE,
) -> None:
    """Send the approved corrections, and prove each by reading it back."""
    from invbi_pipeline.cli.work import run_push

    raise typer.Exit(run_push(config, systems=system or None, dry_run=dry_run, fmt=fmt))


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help='One SELECT on the warehouse, e.g. "select * from recon.points limit 5".')],
    config: ConfigPath = DEFAULT_CONFIG,
    limit: Limit = 200,
    fmt: AnyFormat = Format.TABLE,
) -> None:
    """Run one SELECT on the copy of the warehouse that each run leaves for readers."""
    from invbi_pipeline.cli.reading import run_query

    raise typer.Exit(run_query(config, sql, limit=limit, fmt=fmt))


@app.command()
def sandbox(
    preset: Annotated[str, typer.Option(help="till_master, shopify_hub or erp_master.")] = "till_master",
    seed: Annotated[int, typer.Option(help="The world's seed.")] = 1,
    skus: Annotated[int, typer.Option(help="How many SKUs.", min=20)] = 2000,
    port: Annotated[int, typer.Option(help="Loopback port; 0: a free one.", min=0, max=65535)] = 8640,
    folder: Annotated[Path, typer.Option(help="Where to write the configuration and the ERP's files.")] = Path("data/sandbox"),
    virtual: Annotated[
        bool, typer.Option("--virtual", help="Time stands still until told to move (for the demo and tests).")
    ] = False,
) -> None:
    """Serve the emulated platforms and the simulated world on one loopback port.

    It writes a configuration into its folder. That names environment variables; a second shell gets their values with
    eval "$(curl -s http://127.0.0.1:8640/_world/secrets.sh)" and can then run invbi with it.
    """
    from invbi_pipeline.cli.sandbox import run_sandbox

    raise typer.Exit(run_sandbox(preset=preset, seed=seed, skus=skus, port=port, folder=folder, virtual=virtual))


@app.command()
def ui(
    config: ConfigPath = DEFAULT_CONFIG,
    port: Annotated[int, typer.Option(help="Port of the Dagster UI.", min=1, max=65535)] = 3000,
    with_sandbox: Annotated[bool, typer.Option("--sandbox", help="Start a sandbox beside it and use its configuration.")] = False,
    skus: Annotated[int, typer.Option(help="How many SKUs the sandbox has.", min=20)] = 400,
) -> None:
    """Open the Dagster UI, with the schedules and sensors that run the product."""
    from invbi_pipeline.cli.sandbox import run_ui

    raise typer.Exit(run_ui(config, port=port, with_sandbox=with_sandbox, skus=skus))


@app.command()
def bench(
    name: Annotated[str, typer.Argument(help="demo, compare, catalogue, or all (rewrites data/FIGURES.md).")] = "all",
    fmt: AnyFormat = Format.TABLE,
) -> None:
    """Measure, and say which target is missed."""
    from invbi_pipeline.cli.bench import run_bench

    raise typer.Exit(run_bench(name, fmt))
