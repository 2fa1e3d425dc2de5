"""The command line: a door. Each command reads its words, calls a flow, and prints what came of it."""

import sys

from invbi_pipeline.cli.app import app
from invbi_pipeline.cli.output import report_error
from invbi_pipeline.errors import InvbiError

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; every error of ours becomes a sentence and an exit code, never a traceback.

    Wrong usage is told by typer, with exit code 2.
    """
    try:
        app()
    except InvbiError as trouble:
        sys.exit(report_error(trouble))
