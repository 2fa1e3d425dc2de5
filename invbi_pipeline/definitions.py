"""What Dagster loads: the whole graph of one configuration, built when it is asked for and without calling anyone."""

import os
from pathlib import Path
from typing import Final

import dagster as dg

import invbi_pipeline
from invbi_pipeline.config import load_config
from invbi_pipeline.defs.absent import absence_sensor
from invbi_pipeline.defs.act import act_assets
from invbi_pipeline.defs.alarms import failure_sensor, silence_sensor
from invbi_pipeline.defs.audits import audit_checks
from invbi_pipeline.defs.equality import EQUALITY_JOB, equality_check, equality_schedule
from invbi_pipeline.defs.events import events_sensor
from invbi_pipeline.defs.inbox import inbox_sensor
from invbi_pipeline.defs.ingest import ingest_assets
from invbi_pipeline.defs.job import LOOP, loop_schedule
from invbi_pipeline.defs.models import mart_assets, staging_assets
from invbi_pipeline.defs.publish import publish_assets
from invbi_pipeline.defs.recon import recon_assets
from invbi_pipeline.defs.resources import Invbi, explained
from invbi_pipeline.defs.truth import truth_assets
from invbi_pipeline.errors import ConfigError

__all__ = ["SAMPLE", "build", "config_path", "defs"]

SAMPLE: Final = Path(invbi_pipeline.__file__).parents[1] / "data" / "sample" / "invbi.toml"


def config_path() -> Path:
    """Return the configuration: INVBI_CONFIG, else invbi.toml in this folder, else the sample (a new clone has a graph)."""
    if named := os.environ.get("INVBI_CONFIG"):
        return Path(named).resolve()
    here = Path("invbi.toml").resolve()
    return here if here.exists() else SAMPLE


def build(path: Path) -> dg.Definitions:
    """Return the definitions of the configuration at `path`. Nothing is opened; files other than it are not read.

    Raises `dagster.DagsterInvalidDefinitionError` with every mistake of the configuration.
    """
    try:
        config = load_config(path)
        assets = [
            *ingest_assets(config),
            staging_assets(config),
            truth_assets(),
            *recon_assets(),
            *act_assets(),
            mart_assets(config),
            *publish_assets(config),
        ]
    except ConfigError as trouble:
        raise dg.DagsterInvalidDefinitionError(explained(trouble)) from trouble
    sample = path == SAMPLE
    return dg.Definitions(
        assets=assets,
        asset_checks=[*audit_checks(config), equality_check()],
        jobs=[LOOP, EQUALITY_JOB],
        schedules=[loop_schedule(sample=sample), equality_schedule(sample=sample)],
        sensors=[
            inbox_sensor(config.data / "inbox", sample=sample),
            absence_sensor(path, sample=sample),
            events_sensor(path, sample=sample),
            failure_sensor(path),
            silence_sensor(path, sample=sample),
        ],
        resources={"invbi": Invbi(config_path=str(path))},
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Return what Dagster shows."""
    return build(config_path())
