"""Who types: the name that a decision is kept under."""

import getpass

from invbi_pipeline.errors import ConfigError

__all__ = ["account"]


def account(named: str = "") -> str:
    """Return the name given, else the account that is logged in. Raises `ConfigError` where there is neither (a container)."""
    try:
        return named.strip() or getpass.getuser()
    except (KeyError, OSError) as nobody:
        problem = ("--by", "a name", "add --by NAME, or set USER in the environment")
        raise ConfigError("Nobody knows who you are: this account has no name.", [problem]) from nobody
