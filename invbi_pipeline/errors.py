"""The errors invbi raises: one tree, in which the base class says what the caller can do.

::

    InvbiError
    ├── ConfigError       a person must act: a setting, a secret, a file, a wrong argument   (exit 2)
    ├── TransientError    try again later: nothing was changed                               (exit 3)
    │   ├── Throttled     the platform said when: `retry_after` seconds
    │   ├── Unreachable   no answer, a server's fault, or an open breaker
    │   ├── Paused        a person or a guard lets nothing be sent to this system
    │   └── StoreBusy     a store takes nothing now: another process holds it, its server is away, its disk is full
    ├── TerminalError     trying again changes nothing: stop and say so
    │   ├── Refused       the platform refused the request, with its reason
    │   └── BadAnswer     the answer breaks the platform's own contract (cut JSON, missing fields)
    └── AmbiguousWrite    a write may have happened: look before doing anything else

A message says what happened, what state is left, and the next command. It never holds a secret or a buyer's data.
"""

__all__ = [
    "AmbiguousWrite",
    "BadAnswer",
    "ConfigError",
    "InvbiError",
    "Paused",
    "Refused",
    "StoreBusy",
    "TerminalError",
    "Throttled",
    "TransientError",
    "Unreachable",
]


class InvbiError(Exception):
    """Base of every error that invbi raises on purpose."""


class ConfigError(InvbiError):
    """A person must act. `problems` holds every trouble found, each as (where, what, how to mend it)."""

    def __init__(self, message: str, problems: list[tuple[str, str, str]] | None = None) -> None:
        super().__init__(message)
        self.problems = problems or []


class TransientError(InvbiError):
    """Try again later; nothing was changed."""


class Throttled(TransientError):
    """The platform asked for a pause of `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unreachable(TransientError):
    """No answer, a server's fault, or an open breaker."""


class Paused(TransientError):
    """A person or a guard lets nothing be sent to this system; nothing was."""


class StoreBusy(TransientError):
    """The warehouse or the state store takes nothing now: another process holds it, its server is away, its disk is full."""


class TerminalError(InvbiError):
    """Trying again changes nothing."""


class Refused(TerminalError):
    """The platform refused the request. `code` is the platform's own, `field` the culprit's path when it named one."""

    def __init__(self, message: str, code: str = "", field: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.field = field


class BadAnswer(TerminalError):
    """The answer breaks the platform's own contract."""


class AmbiguousWrite(InvbiError):
    """A write may have happened; only reading back can tell."""
