"""Where the facts, published schemas and real data lie: beside the project, read in place, never copied into it."""

from pathlib import Path

import pytest

__all__ = ["shared"]

_ROOT = Path(__file__).resolve().parents[2] / "shared"


def shared(relative: str) -> Path:
    """Return the path of a file or folder of the shared material; skip the test, saying why, where it is absent."""
    path = _ROOT / relative
    if not path.exists():
        pytest.skip(f"the shared material has no {relative} here")
    return path
