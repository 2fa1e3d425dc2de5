"""`invbi pause` and `invbi resume`."""

from pathlib import Path

from invbi_pipeline.cli.output import Exit, say
from invbi_pipeline.cli.plans import known_systems, state_of, tell_of_pauses
from invbi_pipeline.cli.who import account
from invbi_pipeline.config import Config, load_config
from invbi_pipeline.flows.context import SystemClock
from invbi_pipeline.flows.corrections.switch import EVERYTHING, pause, resume

__all__ = ["run_pause", "run_resume"]


def run_pause(path: Path, system: str, *, by: str, note: str) -> int:
    """Send nothing more to a system, or to none; say what may still be under way."""
    config, scope = _asked(path, system)
    with state_of(config) as state:
        pause(state, scope, account(by), note, SystemClock().now())
        tell_of_pauses(state)
    again = f"invbi resume {scope}".strip()
    say(f"At most the request under way on each channel still goes out. `{again}` lets sending go on.")
    return Exit.DONE


def run_resume(path: Path, system: str, *, by: str, note: str) -> int:
    """Let sending go on; say what stays paused."""
    config, scope = _asked(path, system)
    with state_of(config) as state:
        was = resume(state, scope, account(by), note, SystemClock().now())
        what = f"to {scope}" if scope else "of everything"
        say(f"Sending {what} {'goes on' if was else 'was not paused'}.")
        tell_of_pauses(state)
    return Exit.DONE


def _asked(path: Path, system: str) -> tuple[Config, str]:
    config = load_config(path)
    if system:
        known_systems(config, [system])
    return config, system or EVERYTHING
