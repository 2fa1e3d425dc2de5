"""Exports written for one test, and a channel that reads them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from invbi_pipeline.channels.files import FilesChannel
from invbi_pipeline.config import SystemConfig

__all__ = ["Noon", "channel"]


class Noon:
    """It is always noon."""

    def now(self) -> datetime:
        return datetime(2026, 7, 1, 12, tzinfo=UTC)

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("reading files waits for nothing")


def channel(folder: Path, files: Mapping[str, Mapping[str, Any]], **settings: Any) -> FilesChannel:
    """A channel `erp` over `folder` with these sources."""
    raw = {"platform": "files", "roles": ["counts"], "files": files, **settings}
    return FilesChannel("erp", SystemConfig.model_validate(raw), folder, Noon())
