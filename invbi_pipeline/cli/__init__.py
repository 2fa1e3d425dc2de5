"""The command line: a door. Each command reads its words, calls a flow, and prints what came of it."""

import sys

from invbi_pipeline.cli.app import app
from invbi_pipeline.cli.output import Exit, err, report_error
from invbi_pipeline.errors import InvbiError

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; every error of ours becomes a sentence and an exit code, never a traceback."""
    import click

    try:
        code = app(standalone_mode=False)
    except click.ClickException as wrong:
        wrong.show()
        code = Exit.USAGE
    except click.exceptions.Abort:
        err.print("stopped; what was done is kept, and the next run goes on from there")
        code = 130
    except InvbiError as trouble:
        code = report_error(trouble)
    except BrokenPipeError:
        code = Exit.DONE
    sys.exit(code if isinstance(code, int) else Exit.DONE)
