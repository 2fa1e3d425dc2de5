"""The Dagster UI with its daemon, as a child process: schedules and sensors run as long as it does."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import invbi_pipeline
from invbi_pipeline.defs.home import prepare_home

__all__ = ["LOOPBACK", "command", "launch"]

LOOPBACK: Final = "127.0.0.1"  # the open-source webserver has no login
_WORKSPACE: Final = Path(invbi_pipeline.__file__).parents[1] / "workspace.yaml"
_ENDS_WITHIN_S: Final = 20


def command(port: int) -> list[str]:
    """Return the words that start the webserver and the daemon on loopback."""
    where = ["-w", str(_WORKSPACE)] if _WORKSPACE.exists() else ["-m", "invbi_pipeline.definitions"]
    return [sys.executable, "-m", "dagster", "dev", *where, "-h", LOOPBACK, "-p", str(port)]


def launch(config_path: Path, home: Path, port: int) -> int:
    """Run the UI on this configuration until it ends or is interrupted, and return its exit code.

    `home` becomes DAGSTER_HOME. Secrets are taken from this process's environment and handed on as they are.
    """
    prepare_home(home)
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home.resolve()),
        "INVBI_CONFIG": str(config_path.resolve()),
        "GX_ANALYTICS_ENABLED": "false",
    }
    process = subprocess.Popen(command(port), env=environment)  # noqa: S603 (our own words)
    try:
        return process.wait()
    except KeyboardInterrupt:  # the terminal has told the child as well
        return 0
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(timeout=_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
