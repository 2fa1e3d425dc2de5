"""The tab Business of the Google sheet: figures on top, one short table under the other."""

from typing import Any, Final, NamedTuple

from invbi_pipeline.dashboard.model import Dashboard, Tab, written
from invbi_pipeline.dashboard.sheet_requests import FORMATS, HEAD, INK, Grid, area, cell, formatted, styled, wide

__all__ = ["BusinessGrid", "business_grid", "dress_business"]

_WIDTHS: Final = (28, 28, 24, 28, 24, 14, 14, 14, 20)


class BusinessGrid(NamedTuple):
    """The tab's cells, and each table with the row (from 0) of its title; its heading follows in the next row."""

    grid: Grid
    tables: list[tuple[int, Tab]]


def business_grid(dashboard: Dashboard) -> BusinessGrid:
    """Return the tab's cells."""
    shown = dashboard.business
    grid: Grid = [
        [f"{dashboard.title}: the business"],
        [f"As of {dashboard.generated_at:%Y-%m-%d %H:%M} UTC. Money is {dashboard.currency}."],
        [],
        [f.label for f in shown.figures],
        [f.value for f in shown.figures],
        [f.note for f in shown.figures],
    ]
    tables: list[tuple[int, Tab]] = []
    for table in (*shown.tables, shown.classes):
        grid.append([])
        tables.append((len(grid), table))
        grid += [[table.title], [c.heading for c in table.columns]]
        grid += [[cell(written(row[c.key], c, row)) for c in table.columns] for row in table.rows.iter_rows(named=True)]
        grid.append([table.note])
    return BusinessGrid(grid, tables)


def dress_business(known: dict[str, Any], laid: BusinessGrid, dashboard: Dashboard) -> list[dict[str, Any]]:
    """Return the requests that undress the tab (rows move from one publish to the next) and dress it."""
    sheet_id, grid = known["properties"]["sheetId"], known["properties"]["gridProperties"]
    whole = area(sheet_id, 0, grid["rowCount"], 0, grid["columnCount"])
    big, figures = {"bold": True, "fontSize": 18}, dashboard.business.figures
    requests = [
        {"repeatCell": {"range": whole, "cell": {}, "fields": "userEnteredFormat"}},
        styled(area(sheet_id, 0, 1, 0, len(_WIDTHS)), {"textFormat": big}),
        *(wide(sheet_id, column, characters) for column, characters in enumerate(_WIDTHS)),
        styled(area(sheet_id, 5, 6, 0, len(figures)), {"wrapStrategy": "WRAP", "verticalAlignment": "TOP"}),
    ]
    for column, figure in enumerate(figures):
        colour = dict(zip(("red", "green", "blue"), INK[figure.tone], strict=True))
        requests.append(styled(area(sheet_id, 4, 5, column, column + 1), {"textFormat": {**big, "foregroundColor": colour}}))
    for row, table in laid.tables:
        width, bottom = len(table.columns), row + 2 + table.rows.height
        requests.append(styled(area(sheet_id, row, row + 1, 0, width), {"textFormat": {"bold": True, "fontSize": 12}}))
        head = {"textFormat": {"bold": True}, "backgroundColor": HEAD, "wrapStrategy": "WRAP"}
        requests.append(styled(area(sheet_id, row + 1, row + 2, 0, width), head))
        requests += [
            formatted(area(sheet_id, row + 2, bottom, column, column + 1), spec.kind)
            for column, spec in enumerate(table.columns)
            if spec.kind in FORMATS and table.rows.height
        ]
    return requests
