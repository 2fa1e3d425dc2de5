"""`invbi sandbox` and `invbi ui`."""

import os
import shlex
from pathlib import Path

from invbi_pipeline.cli.output import Exit, say
from invbi_pipeline.cli.world import sandbox_process
from invbi_pipeline.config import load_config
from invbi_pipeline.errors import ConfigError

__all__ = ["run_sandbox", "run_ui"]

_SANDBOX_PORT = 8640
_HOW_TO = """The sandbox is at {address}; Ctrl-C ends it. In another shell:
  eval "$(curl -s {address}/_world/secrets.sh)"
  invbi run --config {config}
The first line sets the environment variables that the configuration names. After the first run the published sheet is at
  {sheet}"""


def run_sandbox(
    *,
    preset: str,
    seed: int,
    skus: int,
    port: int,
    folder: Path,
    virtual: bool,
    faults: bool = True,
    laws: str = "calm",
    history_days: int = 30,
    aged: int = 0,
) -> int:
    """Serve until stopped; say how to use it once it listens."""
    from invbi_pipeline.sandbox.presets import PRESETS
    from invbi_pipeline.sandbox.server import serve
    from invbi_pipeline.sandbox.world.laws import LAWS

    def tell(address: str, config: Path) -> None:
        if virtual:  # a run of its own clock would wait for ever for a world that stands still
            say(f"The sandbox is at {address}; its time stands still until POST {address}/_world/advance moves it.")
            return
        say(_HOW_TO.format(address=address, config=shlex.quote(str(config)), sheet=_sheet(address)))

    if preset not in PRESETS:
        raise ConfigError(
            f"There is no preset {preset!r}.", [("--preset", f"one of {', '.join(PRESETS)}", "correct its spelling")]
        )
    if laws not in LAWS:
        raise ConfigError(f"There are no laws {laws!r}.", [("--laws", f"one of {', '.join(LAWS)}", "correct its spelling")])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        serve(
            preset=preset,
            seed=seed,
            skus=skus,
            port=port,
            folder=folder,
            live=not virtual,
            faults=faults,
            laws=laws,
            history_days=history_days,
            aged=aged,
            ready=tell,
        )
    except OSError as trouble:
        if trouble.filename is not None:
            raise ConfigError(
                f"Cannot write into {folder}: {trouble.strerror}.",
                [("--folder", "a folder that can be written", "name another, or make it writable")],
            ) from trouble
        raise ConfigError(
            f"Port {port} cannot be used: {trouble.strerror}.", [("--port", "a free port", "name another, or 0 for any")]
        ) from trouble
    except KeyboardInterrupt:
        say("the sandbox has stopped")
    return Exit.DONE


def run_ui(config: Path, *, host: str, port: int, with_sandbox: bool, skus: int) -> int:
    """Open the Dagster UI on `host`; with a sandbox, start one that lives by the wall clock and use its configuration."""
    from invbi_pipeline.defs.ui import launch

    home = Path(os.environ.get("DAGSTER_HOME") or "data/dagster").resolve()
    if not with_sandbox:
        load_config(config)  # every mistake is said here, not inside a server's log
        return launch(config.resolve(), home, port, host)
    folder = Path("data/sandbox").resolve()
    with sandbox_process(preset="till_master", seed=1, skus=skus, folder=folder, port=_SANDBOX_PORT, live=True) as sandbox:
        os.environ.update(sandbox.secrets())
        say(f"The sandbox is at {sandbox.address}; after the first run its published sheet is at {_sheet(sandbox.address)}")
        say(f"The Dagster UI opens at http://{host}:{port} in a few seconds. Ctrl-C ends both.")
        return launch(sandbox.config.resolve(), home, port, host)


def _sheet(address: str) -> str:
    from invbi_pipeline.sandbox.world.configuration import SPREADSHEET

    return f"{address}/sheets/view/{SPREADSHEET}"
