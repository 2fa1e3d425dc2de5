"""Declare: what the SQL models need of the configuration, written where they read it."""

import polars as pl

from invbi_pipeline.config import Config
from invbi_pipeline.store.tables import LOCATION_MAP, SYSTEM_MODES
from invbi_pipeline.store.warehouse import Database

__all__ = ["declare"]


def declare(database: Database, config: Config) -> None:
    """Write recon.location_map (which location each location key is) and recon.systems (each system's mode and roles).

    A counting system without locations of its own keeps its stock at its default location: its empty key is that place.
    """
    places = [
        {"system": name, "location_key": key, "location": place}
        for name, system in config.systems.items()
        for key, place in system.locations.items()
    ]
    places += [
        {"system": name, "location_key": "", "location": system.default_location}
        for name, system in config.systems.items()
        if system.counts and system.default_location
    ]
    modes = [
        {
            "system": name,
            "platform": system.platform,
            "mode": str(system.mode),
            "counts": system.counts,
            "sells": system.sells,
            "max_age_s": round(system.max_age_s),
            "timezone": config.business.timezone,
            "currency": config.business.currency,
        }
        for name, system in config.systems.items()
    ]
    database.replace("recon.location_map", pl.DataFrame(places, schema=dict(LOCATION_MAP)))
    database.replace("recon.systems", pl.DataFrame(modes, schema=dict(SYSTEM_MODES)))
