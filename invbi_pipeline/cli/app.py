"""The commands of `invbi` and their options, as people type them."""

from pathlib import Path
from typing import Annotated

import typer

from invbi_pipeline import __version__
from invbi_pipeline.cli.findings import findings
from invbi_pipeline.cli.map import map_
from invbi_pipeline.cli.output import Format
from invbi_pipeline.domain.words import Severity
from invbi_pipeline.live.logs import LogFormat, LogLevel

__all__ = ["app"]

app = typer.Typer(
    name="invbi",
    help="Reconciles the stock numbers of every channel: what each should show, why it does not, and the proof it was mended.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

app.add_typer(findings, name="findings")
app.add_typer(map_, name="map")

ConfigPath = Annotated[Path, typer.Option("--config", "-c", help="The configuration.", envvar="INVBI_CONFIG")]
By = Annotated[str, typer.Option(help="Who decides; by default the account you are logged in with.")]
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
def check(
    config: ConfigPath = DEFAULT_CONFIG,
    readiness: Annotated[
        bool,
        typer.Option(
            "--readiness",
            help="Instead: what the last run says against the next mode of each system; exits 4 where something blocks.",
        ),
    ] = False,
    system: Annotated[list[str] | None, typer.Option(help="With --readiness: only this system; may be repeated.")] = None,
    register: Annotated[
        bool, typer.Option("--register", help="Make the webhook subscriptions that are lacking, and put right what is wrong.")
    ] = False,
    fmt: AnyFormat = Format.TABLE,
) -> None:
    """Check the configuration, the policy files, the secrets, whether each system answers and tells of its events."""
    from invbi_pipeline.cli.setup import run_check, run_readiness

    if system and not readiness:
        raise typer.BadParameter("it only goes with --readiness", param_hint="--system")
    raise typer.Exit(run_readiness(config, system or [], fmt) if readiness else run_check(config, fmt, register=register))


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
def explain(
    sku: Annotated[str, typer.Argument(help="A master SKU, a listing key or a raw SKU.")] = "",
    config: ConfigPath = DEFAULT_CONFIG,
    at: Annotated[
        str,
        typer.Option(help="How it stood at this time (2026-11-20T14:30): as known then, and as known now."),
    ] = "",
    since: Annotated[
        str,
        typer.Option(help="Its history since this time, there and here, and the first event that parts them."),
    ] = "",
    tie: Annotated[
        str, typer.Option("--tie-out", help="Instead of a SKU: the books of a month (2026-11) or a day (2026-11-20).")
    ] = "",
    location: Annotated[str, typer.Option(help="With --tie-out: only this place.")] = "",
    to: Annotated[Path | None, typer.Option("--out", help="With --tie-out: write a page to be printed and signed.")] = None,
    fmt: AnyFormat = Format.TABLE,
) -> None:
    """Print what made a SKU's numbers what they are, as a bridge: each line has its units, its source and its rule."""
    from invbi_pipeline.cli.reading import run_explain

    raise typer.Exit(run_explain(config, sku, fmt, at=at, since=since, tie=tie, location=location, to=to))


@app.command()
def plan(
    config: ConfigPath = DEFAULT_CONFIG,
    limit: Limit = 50,
    fmt: AnyFormat = Format.TABLE,
) -> None:
    """Print the corrections that wait to be sent or approved, largest risk first, with what each guard says."""
    from invbi_pipeline.cli.plans import run_plan

    raise typer.Exit(run_plan(config, limit=limit, fmt=fmt))


@app.command()
def approve(
    ids: Annotated[list[str] | None, typer.Argument(help="Correction ids, as `invbi plan` shows them.")] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    system: Annotated[list[str] | None, typer.Option(help="Only of this system; may be repeated.")] = None,
    code: Annotated[list[str] | None, typer.Option(help="Only what mends a finding of this code, e.g. undersell.")] = None,
    guard: Annotated[list[str] | None, typer.Option(help='Only what this guard holds, e.g. "first look".')] = None,
    max_units: Annotated[int | None, typer.Option(help="Only changes of at most so many units.", min=0)] = None,
    max_money: Annotated[float | None, typer.Option(help="Only changes worth at most so much.", min=0)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that waits.")] = False,
    refuse: Annotated[bool, typer.Option("--refuse", help="Refuse instead: not planned again for that number.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what is meant.")] = False,
    note: Annotated[str, typer.Option(help="Why; kept with the decision.")] = "",
    by: By = "",
    fmt: AnyFormat = Format.TABLE,
) -> None:
    """Release, or refuse, corrections that wait for a person; what is named narrows what is meant.

    `invbi push` or the next run sends what was released.
    """
    from invbi_pipeline.cli.plans import run_approve
    from invbi_pipeline.flows.corrections.waiting import Wish

    wish = Wish(tuple(ids or ()), tuple(system or ()), tuple(code or ()), tuple(guard or ()), max_units, max_money)
    told = run_approve(config, wish, everything=everything, refuse=refuse, dry_run=dry_run, by=by, note=note, fmt=fmt)
    raise typer.Exit(told)


@app.command()
def accept(
    system: Annotated[str, typer.Argument(help="The system that shows the number.")],
    listing: Annotated[str, typer.Argument(help="A listing key, a code or a SKU that only one listing of the system has.")],
    location: Annotated[str | None, typer.Option(help="Where the number stands, if the listing has several.")] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    note: Annotated[str, typer.Option(help="Why; kept with the decision.")] = "",
    by: By = "",
) -> None:
    """Let a number stand as it is: it is the base of what follows, and what would be sent in its place is refused.

    It is corrected again once it changes, or once what may be sold does.
    """
    from invbi_pipeline.cli.accept import run_accept
    from invbi_pipeline.flows.corrections.accept import Number

    raise typer.Exit(run_accept(config, Number(system, listing, location), by=by, note=note))


@app.command()
def push(
    config: ConfigPath = DEFAULT_CONFIG,
    system: Annotated[list[str] | None, typer.Option(help="Only this system; may be repeated.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be sent; send nothing.")] = False,
    fmt: AnyFormat = Format.TABLE,
) -> None:
    """Send the approved corrections, and prove each by reading it back."""
    from invbi_pipeline.cli.plans import run_push

    raise typer.Exit(run_push(config, systems=system or None, dry_run=dry_run, fmt=fmt))


@app.command()
def pause(
    system: Annotated[str, typer.Argument(help="The system that nothing more is sent to; without it, none.")] = "",
    config: ConfigPath = DEFAULT_CONFIG,
    note: Annotated[str, typer.Option(help="Why; shown to whoever asks.")] = "",
    by: By = "",
) -> None:
    """Stop sending, to one system or to all: at most the request under way on each still goes out. Reading goes on."""
    from invbi_pipeline.cli.switch import run_pause

    raise typer.Exit(run_pause(config, system, by=by, note=note))


@app.command()
def resume(
    system: Annotated[str, typer.Argument(help="The system that was paused; without it, the pause of everything.")] = "",
    config: ConfigPath = DEFAULT_CONFIG,
    note: Annotated[str, typer.Option(help="Why; kept with it.")] = "",
    by: By = "",
) -> None:
    """Let sending go on where it was paused."""
    from invbi_pipeline.cli.switch import run_resume

    raise typer.Exit(run_resume(config, system, by=by, note=note))


@app.command()
def undo(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run whose changes are taken back, or `last`.")],
    config: ConfigPath = DEFAULT_CONFIG,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be taken back.")] = False,
    fmt: AnyFormat = Format.TABLE,
) -> None:
    """Plan to take back what a run changed, where nobody changed it since; the guards judge it, `invbi push` sends it."""
    from invbi_pipeline.cli.mend import run_undo

    raise typer.Exit(run_undo(config, run_id, dry_run=dry_run, fmt=fmt))


@app.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of dead letters; without any choice they are listed.")] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    system: Annotated[list[str] | None, typer.Option(help="All dead letters of this system; may be repeated.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be planned.")] = False,
    fmt: AnyFormat = Format.TABLE,
) -> None:
    """List corrections that were refused for good, or put them back into a plan: the numbers are read and judged anew."""
    from invbi_pipeline.cli.mend import run_replay

    told = run_replay(config, ids or [], systems=system or [], everything=everything, dry_run=dry_run, fmt=fmt)
    raise typer.Exit(told)


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
def serve(
    config: ConfigPath = DEFAULT_CONFIG,
    host: Annotated[str, typer.Option(help="What to listen on; by default serve.host.")] = "",
    port: Annotated[int | None, typer.Option(help="By default serve.port; 0: a free one.", min=0, max=65535)] = None,
    receiver_only: Annotated[
        bool, typer.Option("--receiver-only", help="Only take deliveries: a further door beside the process that works on them.")
    ] = False,
    register: Annotated[
        bool, typer.Option("--register", help="Make the platforms' webhook subscriptions, and put them right while it runs.")
    ] = False,
    log_format: Annotated[LogFormat, typer.Option(help="How to write the log, on standard error.")] = LogFormat.TEXT,
    log_level: Annotated[LogLevel, typer.Option(help="What to write: this and worse.")] = LogLevel.INFO,
) -> None:
    """Take events as they happen and correct within seconds, until it is stopped (SIGTERM, Ctrl-C)."""
    from invbi_pipeline.cli.serve import run_serve

    told = run_serve(
        config,
        host=host,
        port=port,
        receiver_only=receiver_only,
        register=register,
        log_format=log_format,
        log_level=log_level,
    )
    raise typer.Exit(told)


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
    faults: Annotated[bool, typer.Option("--faults/--no-faults", help="Plant the demo's faults in the first 20 minutes.")] = True,
    laws: Annotated[str, typer.Option(help="How people buy and goods go astray: calm, leaky or raided.")] = "calm",
    history_days: Annotated[int, typer.Option(help="How many days of orders and counts lie behind it.", min=1, max=365)] = 30,
    aged: Annotated[
        int,
        typer.Option(help="How many of each slow fault lie in its history, e.g. orders that never ship.", min=0),
    ] = 0,
) -> None:
    """Serve the emulated platforms and the simulated world on one loopback port.

    It writes a configuration into its folder. That names environment variables; a second shell gets their values with
    eval "$(curl -s http://127.0.0.1:8640/_world/secrets.sh)" and can then run invbi with it.
    """
    from invbi_pipeline.cli.sandbox import run_sandbox

    told = run_sandbox(
        preset=preset,
        seed=seed,
        skus=skus,
        port=port,
        folder=folder,
        virtual=virtual,
        faults=faults,
        laws=laws,
        history_days=history_days,
        aged=aged,
    )
    raise typer.Exit(told)


@app.command()
def ui(
    config: ConfigPath = DEFAULT_CONFIG,
    host: Annotated[
        str, typer.Option(help="Address it listens on. It has no login: others only behind a door of yours.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the Dagster UI.", min=1, max=65535)] = 3000,
    with_sandbox: Annotated[bool, typer.Option("--sandbox", help="Start a sandbox beside it and use its configuration.")] = False,
    skus: Annotated[int, typer.Option(help="How many SKUs the sandbox has.", min=20)] = 400,
) -> None:
    """Open the Dagster UI, with the schedules and sensors that run the product."""
    from invbi_pipeline.cli.sandbox import run_ui

    raise typer.Exit(run_ui(config, host=host, port=port, with_sandbox=with_sandbox, skus=skus))


@app.command()
def bench(
    name: Annotated[
        str,
        typer.Argument(
            help="demo, compare, decide, catalogue, push, detect, phantom, oversell, live, chaos; all rewrites the figures page."
        ),
    ] = "all",
    seeds: Annotated[str | None, typer.Option(help="With detect, phantom, oversell, chaos: the worlds' seeds (11..14).")] = None,
    preset: Annotated[str | None, typer.Option(help="With detect, phantom, chaos: till_master, shopify_hub, erp_master.")] = None,
    skus: Annotated[int | None, typer.Option(min=1_000, help="With decide: how many SKUs (1,000,000 if not said).")] = None,
    rate: Annotated[int | None, typer.Option(min=1, help="With live: events a second (5, 50 and 200 if not said).")] = None,
    write: Annotated[bool, typer.Option("--write", help="Put the result in its place in the figures page.")] = False,
    fmt: AnyFormat = Format.TABLE,
) -> None:
    """Measure, and say which target is missed."""
    from invbi_pipeline.cli.bench import run_bench

    raise typer.Exit(run_bench(name, fmt, seeds=seeds, preset=preset, skus=skus, rate=rate, write=write))
