"""Publish: the marts become one dashboard model, and the model becomes a page, a workbook and a Google sheet."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl

from invbi_pipeline.dashboard.build import build
from invbi_pipeline.dashboard.model import (
    CHANNELS,
    CORRECTIONS_TAB,
    FINDINGS_TAB,
    HISTORY,
    MATRIX,
    Dashboard,
    DashboardInputs,
)
from invbi_pipeline.domain.frames import Schema
from invbi_pipeline.errors import InvbiError
from invbi_pipeline.flows.context import Context
from invbi_pipeline.store.models import run_models
from invbi_pipeline.store.warehouse import Warehouse

__all__ = ["Published", "dashboard", "publish"]

_RECENT_CORRECTIONS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Published:
    """Where the dashboard went, and which renderer could not write it, with the reason."""

    places: tuple[str, ...] = ()
    troubles: dict[str, str] = field(default_factory=dict)


def dashboard(warehouse: Warehouse, *, title: str, currency: str, now: datetime) -> Dashboard:
    """Return the dashboard of the marts as they stand."""
    with warehouse.open() as db:
        inputs = DashboardInputs(
            history=_mart(db.query("SELECT * FROM mart.mart_parity_history"), HISTORY),
            channels=_mart(db.query("SELECT * FROM mart.mart_freshness"), CHANNELS),
            matrix=_mart(db.query("SELECT * FROM mart.mart_point_matrix"), MATRIX),
            findings=_mart(db.query("SELECT * FROM mart.mart_exceptions"), FINDINGS_TAB),
            corrections=_mart(
                db.query("SELECT * FROM mart.mart_corrections ORDER BY planned_at DESC LIMIT ?", [_RECENT_CORRECTIONS]),
                CORRECTIONS_TAB,
            ),
        )
    return build(inputs, title=title, currency=currency, now=now)


async def publish(ctx: Context, *, sheet: bool = True) -> Published:
    """Build the marts and write the page, the workbook and (unless told not to) the sheet that the configuration names.

    A renderer that fails never stops the others: its reason is in `Published.troubles`.
    """
    business, wanted = ctx.config.business, ctx.config.publish
    with ctx.warehouse.held():
        run_models(ctx.warehouse, ["mart"])
        shown = dashboard(ctx.warehouse, title=business.name, currency=business.currency, now=ctx.clock.now())
    places: list[str] = []
    troubles: dict[str, str] = {}
    folder: Path = ctx.config.data
    folder.mkdir(parents=True, exist_ok=True)
    if wanted.html:
        from invbi_pipeline.dashboard.html import write_html

        write_html(shown, folder / wanted.html)
        places.append(str(folder / wanted.html))
    if wanted.xlsx:
        from invbi_pipeline.dashboard.xlsx import write_xlsx

        write_xlsx(shown, folder / wanted.xlsx)
        places.append(str(folder / wanted.xlsx))
    if sheet and wanted.sheets is not None:
        try:
            places.append(await asyncio.to_thread(_to_sheet, ctx, shown))
        except InvbiError as trouble:
            troubles["sheet"] = str(trouble)
    return Published(tuple(places), troubles)


def _to_sheet(ctx: Context, shown: Dashboard) -> str:
    from invbi_pipeline.dashboard.sheets import open_spreadsheet, publish_sheets

    sheets = ctx.config.publish.sheets
    assert sheets is not None
    address = publish_sheets(shown, open_spreadsheet(sheets.spreadsheet_id, sheets.credentials.read(), sheets.base_url))
    return f"{sheets.base_url}/view/{sheets.spreadsheet_id}" if sheets.base_url else address


def _mart(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    return frame.select(schema.keys()).cast(dict(schema))  # type: ignore[arg-type]  # polars types its schema mapping too narrowly
