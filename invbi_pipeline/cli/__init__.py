"""The command line: a door. Each command reads its words, calls a flow, and prints what came of it."""

import errno
import sys

__all__ = ["main"]

_INTERRUPTED = 130  # what shells expect of a program that Ctrl-C ended: 128 + SIGINT
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)  # told of a write, without the file's name


def main() -> None:
    """Run the command line; every error a person can mend becomes a sentence and an exit code, never a traceback.

    Wrong usage is told by typer, with exit code 2; Ctrl-C ends with 130.
    """
    try:
        _run()
    except KeyboardInterrupt:  # while modules were imported; later it is typer that catches it
        sys.exit(_stopped())
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            _stopped()
        raise


def _run() -> None:
    from invbi_pipeline.cli.app import app  # here, so that Ctrl-C is answered while it loads
    from invbi_pipeline.cli.output import report_error
    from invbi_pipeline.errors import ConfigError, InvbiError

    try:
        app()
    except InvbiError as trouble:
        sys.exit(report_error(trouble))
    except OSError as trouble:
        if trouble.filename is None and trouble.errno not in _DISK:  # a connection: its text may hold an address with a secret
            raise
        where = str(trouble.filename or "The disk")
        problem = (where, "a file or folder that can be read and written, on a disk with room", "name another, or make it so")
        sys.exit(report_error(ConfigError(f"{where} cannot be used: {trouble.strerror}.", [problem])))


def _stopped() -> int:
    """Say that it was stopped; return the exit code."""
    sys.stderr.write("Stopped. What was finished is kept; the same command may be run again.\n")
    return _INTERRUPTED
