"""Publish: the marts become one dashboard model, and the model becomes a page, a workbook and a Google sheet."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from invbi_pipeline.dashboard.build import build
from invbi_pipeline.dashboard.model import (
    CANCELLATIONS,
    CHANNELS,
    CORRECTIONS_TAB,
    COVER,
    DAILY,
    FINDINGS_TAB,
    HISTORY,
    MATRIX,
    SALES,
    TO_COUNT,
    Dashboard,
    DashboardInputs,
    Tab,
)
from invbi_pipeline.errors import ConfigError, InvbiError
from invbi_pipeline.flows.accounts.tieout import period_of, tie_out
from invbi_pipeline.flows.context import Context
from invbi_pipeline.flows.shown import Shown, keep, noted
from invbi_pipeline.store.models import run_models
from invbi_pipeline.store.warehouse import Warehouse

if TYPE_CHECKING:
    from gspread.spreadsheet import Spreadsheet

    from invbi_pipeline.dashboard.sheets import Grids

__all__ = ["Published", "dashboard", "publish", "publish_to_sheet"]

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
            history=db.pick("mart.mart_parity_history", HISTORY),
            channels=db.pick("mart.mart_freshness", CHANNELS),
            matrix=db.pick("mart.mart_point_matrix", MATRIX),
            findings=db.pick("mart.mart_exceptions", FINDINGS_TAB),
            corrections=db.pick("mart.mart_corrections", CORRECTIONS_TAB)
            .sort("planned_at", descending=True)
            .head(_RECENT_CORRECTIONS),
            sales=db.pick("mart.mart_channel_days", SALES),
            cover=db.pick("mart.mart_stock_cover", COVER),
            cancellations=db.pick("mart.mart_cancellations", CANCELLATIONS),
            daily=db.pick("mart.mart_daily_history", DAILY),
            to_count=db.pick("truth.phantoms", TO_COUNT),
        )
    return build(inputs, title=title, currency=currency, now=now)


async def publish(ctx: Context, *, sheet: bool = True) -> Published:
    """Build the marts and write the page, the workbook and (unless told not to) the sheet that the configuration names.

    A renderer that fails never stops the others: its reason is in `Published.troubles`.
    """
    business, wanted = ctx.config.business, ctx.config.publish
    to_show = noted(ctx) if sheet and wanted.sheets is not None else None
    with ctx.warehouse.held():
        run_models(ctx.warehouse, ["mart"])
        shown = dashboard(ctx.warehouse, title=business.name, currency=business.currency, now=ctx.clock.now())
    places: list[str] = []
    troubles: dict[str, str] = {}
    writers = {"html": (wanted.html, _to_html), "xlsx": (wanted.xlsx, _to_xlsx)}
    for renderer, (name, write) in writers.items():
        path: Path = ctx.config.data / name
        if name:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write(ctx, shown, path)
            except OSError as trouble:  # no such place, no room, held open by another program
                troubles[renderer] = f"{path}: {trouble.strerror or trouble}"
            else:
                places.append(str(path))
    if to_show is not None:
        try:
            places.append(await asyncio.to_thread(_to_sheet, ctx, shown, to_show))
        except InvbiError as trouble:
            troubles["sheet"] = str(trouble)
    return Published(tuple(places), troubles)


def publish_to_sheet(ctx: Context, before: "Grids | None") -> "Grids":
    """Bring the sheet up to what stands now, cell by cell where `before` is what it shows; return what it shows then.

    Raises what the sheet's renderer raises, and `StoreBusy`.
    """
    from invbi_pipeline.dashboard.sheets import publish_cells

    business, to_show = ctx.config.business, noted(ctx)
    with ctx.warehouse.held():
        run_models(ctx.warehouse, ["mart"])
        shown = dashboard(ctx.warehouse, title=business.name, currency=business.currency, now=ctx.clock.now())
    after = publish_cells(shown, _spreadsheet(ctx), before or {})
    keep(ctx, to_show)
    return after


def _books(ctx: Context) -> tuple[Tab, ...]:
    """Return the tie-out of this month so far, by place and business day; none before anything was read in it."""
    from invbi_pipeline.dashboard.tieout import tieout_tab

    today = ctx.clock.now().astimezone(ctx.config.business.zone)
    try:
        return (tieout_tab(tie_out(ctx.warehouse, ctx.config, period_of(f"{today:%Y-%m}"))),)
    except ConfigError:
        return ()


def _spreadsheet(ctx: Context) -> "Spreadsheet":
    from invbi_pipeline.dashboard.sheets import open_spreadsheet

    sheets = ctx.config.publish.sheets
    assert sheets is not None
    return open_spreadsheet(sheets.spreadsheet_id, sheets.credentials.read(), sheets.base_url)


def _to_html(ctx: Context, shown: Dashboard, path: Path) -> None:
    from invbi_pipeline.dashboard.html import write_html

    write_html(shown, path)


def _to_xlsx(ctx: Context, shown: Dashboard, path: Path) -> None:
    from xlsxwriter.exceptions import FileCreateError

    from invbi_pipeline.dashboard.xlsx import write_xlsx

    try:
        write_xlsx(shown, path, _books(ctx))
    except FileCreateError as trouble:
        raise OSError(str(trouble)) from trouble


def _to_sheet(ctx: Context, shown: Dashboard, to_show: Shown) -> str:
    from invbi_pipeline.dashboard.sheets import publish_sheets

    sheets = ctx.config.publish.sheets
    assert sheets is not None
    address = publish_sheets(shown, _spreadsheet(ctx))
    keep(ctx, to_show)
    return f"{sheets.base_url}/view/{sheets.spreadsheet_id}" if sheets.base_url else address
