"""DAGSTER_HOME: where Dagster keeps its runs and events, made ready with the settings that invbi needs."""

import shutil
from pathlib import Path
from typing import Final

__all__ = ["prepare_home"]

_TEMPLATE: Final = Path(__file__).with_name("dagster.yaml")


def prepare_home(path: Path) -> Path:
    """Make the folder and put `dagster.yaml` into it unless there is one. Return the file's path."""
    path.mkdir(parents=True, exist_ok=True)
    settings = path / _TEMPLATE.name
    if not settings.exists():
        shutil.copyfile(_TEMPLATE, settings)
    return settings
