"""`invbi sandbox` and `invbi ui`."""

import os
from pathlib import Path

from invbi_pipeline.cli.output import Exit, say
from invbi_pipeline.cli.world import sandbox_process
from invbi_pipeline.config import load_config
from invbi_pipeline.errors import ConfigError

__all__ = ["run_sandbox", "run_ui"]

_SANDBOX_PORT = 8640


def run_sandbox(*, preset: str, seed: int, skus: int, port: int, folder: Path, virtual: bool) -> int:
    """Serve until stopped."""
    from invbi_pipeline.sandbox.presets import PRESETS
    from invbi_pipeline.sandbox.server import serve

    if preset not in PRESETS:
        raise ConfigError(
            f"There is no preset {preset!r}.", [("--preset", f"one of {', '.join(PRESETS)}", "correct its spelling")]
        )
    folder.mkdir(parents=True, exist_ok=True)
    try:
        serve(preset=preset, seed=seed, skus=skus, port=port, folder=folder, live=not virtual)
    except OSError as trouble:
        raise ConfigError(
            f"Port {port} cannot be used: {trouble.strerror}.", [("--port", "a free port", "name another, or 0 for any")]
        ) from trouble
    except KeyboardInterrupt:
        say("the sandbox has stopped")
    return Exit.DONE


def run_ui(config: Path, *, port: int, with_sandbox: bool, skus: int) -> int:
    """Open the Dagster UI on loopback; with a sandbox, start one that lives by the wall clock and use its configuration."""
    from invbi_pipeline.defs.ui import launch

    home = Path(os.environ.get("DAGSTER_HOME") or "data/dagster").resolve()
    if not with_sandbox:
        load_config(config)  # every mistake is said here, not inside a server's log
        return launch(config.resolve(), home, port)
    folder = Path("data/sandbox").resolve()
    with sandbox_process(preset="till_master", seed=1, skus=skus, folder=folder, port=_SANDBOX_PORT, live=True) as sandbox:
        os.environ.update(sandbox.secrets())
        say(f"The sandbox is at {sandbox.address}; its published sheet: {sandbox.address}/sheets/")
        say(f"The Dagster UI opens at http://127.0.0.1:{port} in a few seconds. Ctrl-C ends both.")
        return launch(sandbox.config.resolve(), home, port)
