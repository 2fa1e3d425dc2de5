"""The Dagster UI with its daemon, as a child process: schedules and sensors run as long as it does."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import invbi_pipeline
from invbi_pipeline.defs.home import prepare_home

__all__ = ["LOOPBACK", "command", "launch"]

LOOPBACK: Final = "127.0.0.1"  # the open-source webserver has no login: any other address is for who stands a door before it
_WORKSPACE: Final = Path(invbi_pipeline.__file__).parents[1] / "workspace.yaml"
_ENDS_WITHIN_S: Final = 20
# `dagster dev` recommends a tool that is not part of Dagster itself; that is nothing for who opens the UI.
_SUPERSEDED: Final = "ignore:Function `dev_command` is superseded:FutureWarning"


def command(port: int, host: str = LOOPBACK) -> list[str]:
    """Return the words that start the webserver, listening on `host`, and the daemon."""
    where = ["-w", str(_WORKSPACE)] if _WORKSPACE.exists() else ["-m", "invbi_pipeline.definitions"]
    return [sys.executable, "-m", "dagster", "dev", *where, "-h", host, "-p", str(port)]


def launch(config_path: Path, home: Path, port: int, host: str = LOOPBACK) -> int:
    """Run the UI on this configuration until it ends or is told to, and return its exit code (0 when it was told to).

    `home` becomes DAGSTER_HOME. Secrets are taken from this process's environment and handed on as they are. Call it from
    the main thread: SIGTERM and Ctrl-C end the child before this process.
    """
    prepare_home(home)
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home.resolve()),
        "INVBI_CONFIG": str(config_path.resolve()),
        "GX_ANALYTICS_ENABLED": "false",
        "PYTHONWARNINGS": ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), _SUPERSEDED])),
    }
    with _sigterm_as_interrupt():
        process = subprocess.Popen(command(port, host), env=environment)
        try:
            return process.wait()
        except KeyboardInterrupt:  # from a terminal the child has been told as well
            return 0
        finally:
            _end(process)


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(timeout=_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
