"""The dashboard's charts as SVG text: drawn once, part of the page, readable without scripts or a network."""

from typing import Any

import polars as pl

from invbi_pipeline.dashboard.model import Dashboard

__all__ = ["codes_chart", "history_chart"]

_INK, _QUIET, _LINE, _BAD, _WATCH = "#1f2933", "#52606d", "#0b6e4f", "#b42318", "#9a5b00"
_FONT = "system-ui, sans-serif"
_BY_SEVERITY = {"critical": "#7a0d12", "high": _BAD, "medium": _WATCH, "low": _QUIET}


def history_chart(dashboard: Dashboard, *, width: int = 640, height: int = 170) -> str:
    """Return the parity rate over the runs as SVG, or an empty string while there is no run to show."""
    history = dashboard.history.drop_nulls("parity").tail(500)
    if history.is_empty():
        return ""
    import altair as alt

    lowest = float(history["parity"].to_numpy().min())
    floor = max(0.0, min(0.9, lowest - 0.02))
    line = (
        alt.Chart(_values(history.select(when=pl.col("ended_at").dt.strftime("%Y-%m-%dT%H:%M:%S"), parity="parity")))
        .mark_line(color=_LINE, point=alt.OverlayMarkDef(color=_LINE, size=28), strokeWidth=2)
        .encode(
            x=alt.X("when:T", title=None, axis=alt.Axis(labelColor=_QUIET, grid=False, tickCount=6)),
            y=alt.Y(
                "parity:Q",
                title=None,
                scale=alt.Scale(domain=[floor, 1.0], clamp=True),
                axis=alt.Axis(format=".0%" if floor < 0.9 else ".1%", labelColor=_QUIET, tickCount=4),
            ),
        )
        .properties(width=width, height=height)
    )
    return _svg(line)


def codes_chart(dashboard: Dashboard, *, width: int = 330, height: int = 170) -> str:
    """Return the open findings by code as SVG bars with their numbers, or an empty string when there are none."""
    if dashboard.codes.is_empty():
        return ""
    import altair as alt

    codes = dashboard.codes.head(10).select(
        pl.col("code").str.replace_all("_", " "),
        "severity",
        "open",
    )
    base = alt.Chart(_values(codes)).encode(
        y=alt.Y(
            "code:N",
            sort=None,
            title=None,
            axis=alt.Axis(labelColor=_INK, labelLimit=190, minExtent=130, ticks=False, domain=False),
        ),
        x=alt.X("open:Q", title=None, axis=None),
    )
    bars = base.mark_bar(cornerRadius=2).encode(
        color=alt.Color("severity:N", scale=alt.Scale(domain=list(_BY_SEVERITY), range=list(_BY_SEVERITY.values())), legend=None)
    )
    numbers = base.mark_text(align="left", dx=4, color=_INK).encode(text="open:Q")
    return _svg((bars + numbers).properties(width=width, height=max(40, min(height, 22 * codes.height))))


def _values(frame: pl.DataFrame) -> dict[str, Any]:
    return {"values": frame.to_dicts()}


def _svg(chart: object) -> str:
    import altair as alt
    import vl_convert as vlc

    assert isinstance(chart, alt.TopLevelMixin)
    spec = chart.configure(font=_FONT, background="transparent").configure_view(stroke=None).to_dict()
    svg: str = vlc.vegalite_to_svg(spec)
    return svg[svg.index("<svg") :]
