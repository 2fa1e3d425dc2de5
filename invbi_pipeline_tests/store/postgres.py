"""A real PostgreSQL of the distribution's package, for as long as the tests run: its own cluster, on loopback, in a folder."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["cluster"]

_ACCOUNT = "postgres"  # which the package makes; the server refuses to run as root


def _program(name: str) -> str:
    """Return where the newest installed PostgreSQL keeps a program. Skips the test where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    where = str(found[-1]) if found else shutil.which(name)
    if where is None:
        pytest.skip("no PostgreSQL is installed here (the distribution's package is called postgresql)")
    return where


@contextmanager
def cluster() -> Iterator[str]:
    """Start a PostgreSQL and give the SQLAlchemy address of its server, ending in a slash: a database's name follows."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    account = None
    if os.getuid() == 0:
        try:
            account = pwd.getpwnam(_ACCOUNT).pw_name
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no account called postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="invbi-pg-"))
    if account:
        shutil.chown(folder, account)

    def run(*words: str) -> None:
        subprocess.run(words, user=account, check=True, cwd=folder, stdout=subprocess.DEVNULL)

    data, log = str(folder / "data"), str(folder / "log")
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
    try:
        run(initdb, "--pgdata", data, "--username", "invbi", "--auth", "trust", "--encoding", "UTF8", "--no-sync")
        run(pg_ctl, "start", "--pgdata", data, "--log", log, "--wait", "--options", options)
        try:
            yield f"postgresql+psycopg://invbi@127.0.0.1:{port}/"
        finally:
            run(pg_ctl, "stop", "--pgdata", data, "--mode", "immediate", "--wait")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
