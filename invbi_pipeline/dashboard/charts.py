"""The dashboard's charts as SVG text: drawn once, part of the page, readable without scripts or a network."""

from typing import Any

import polars as pl

from invbi_pipeline.dashboard.model import Dashboard

__all__ = ["codes_chart", "history_chart", "moves_chart", "sales_chart"]

_INK, _QUIET, _LINE, _BAD, _WATCH = "#1f2933", "#52606d", "#0b6e4f", "#b42318", "#9a5b00"
_FONT = "system-ui, sans-serif"
_BY_SEVERITY = {"critical": "#7a0d12", "high": _BAD, "medium": _WATCH, "low": _QUIET, "in all": _QUIET}

# Apart from one another for every kind of eye, and dark enough on white: Okabe and Ito's palette, the yellow left out.
_CHANNELS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#52606d", "#1f2933")
_DAYS = 28


def history_chart(dashboard: Dashboard, *, width: int = 660, height: int = 132) -> str:
    """Return the parity rate over the runs as SVG, or an empty string while there is no run to show.

    The scale ends at 100 % and begins below the lowest rate, rounded to whole percents: small changes must be seen.
    """
    history = dashboard.history.drop_nulls("parity").tail(500)
    if history.is_empty():
        return ""
    import altair as alt

    lowest = float(history["parity"].to_numpy().min())
    floor = max(0.0, (int(lowest * 100) - 1) / 100)
    line = (
        alt.Chart(_values(history.select(when=pl.col("ended_at").dt.strftime("%Y-%m-%dT%H:%M:%S"), parity="parity")))
        .mark_line(color=_LINE, point=alt.OverlayMarkDef(color=_LINE, size=30), strokeWidth=2, clip=False)
        .encode(
            x=alt.X("when:T", title=None, axis=alt.Axis(labelColor=_QUIET, grid=False, tickCount=6, format="%d %b %H:%M")),
            y=alt.Y(
                "parity:Q",
                title=None,
                scale=alt.Scale(domain=[floor, 1.0], nice=False),
                axis=alt.Axis(format=".1%" if floor > 0.9 else ".0%", labelColor=_QUIET, tickCount=4),
            ),
        )
        .properties(width=width, height=height)
    )
    return _svg(line)


def codes_chart(dashboard: Dashboard, *, width: int = 270, most: int = 9) -> str:
    """Return the open findings by code as SVG bars, each with its number and severity, or an empty string when there are none."""
    if dashboard.codes.is_empty():
        return ""
    import altair as alt

    rest = dashboard.codes.slice(most)
    codes = dashboard.codes.head(most).select("code", "severity", "open")
    if rest.height:
        more = {"code": f"{rest.height} more kinds", "severity": "in all", "open": int(rest["open"].sum())}
        codes = pl.concat([codes, pl.DataFrame([more], schema=codes.schema)])
    codes = codes.with_columns(told=pl.format("{} {}", "open", "severity"))
    room = 1.7 * float(codes["open"].to_numpy().max())  # beside the longest bar, for its words
    base = alt.Chart(_values(codes)).encode(
        y=alt.Y(
            "code:N",
            sort=None,
            title=None,
            axis=alt.Axis(labelColor=_INK, labelFontSize=12, labelLimit=190, minExtent=150, ticks=False, domain=False),
        ),
        x=alt.X("open:Q", title=None, axis=None, scale=alt.Scale(domain=[0, room], nice=False)),
    )
    bars = base.mark_bar(cornerRadius=2).encode(
        color=alt.Color("severity:N", scale=alt.Scale(domain=list(_BY_SEVERITY), range=list(_BY_SEVERITY.values())), legend=None)
    )
    told = base.mark_text(align="left", dx=4, color=_INK, fontSize=12).encode(text="told:N")
    return _svg((bars + told).properties(width=width, height=21 * codes.height))


def sales_chart(dashboard: Dashboard, *, width: int = 640, height: int = 240) -> str:
    """Return the revenue of the last 28 days by channel as stacked SVG bars, or an empty string when nothing is known."""
    sales = dashboard.business.sales.drop_nulls("revenue")
    if sales.is_empty():
        return ""
    import altair as alt

    days = sales["day"].unique().sort().tail(_DAYS)
    sales = sales.filter(pl.col("day").is_in(days.implode())).with_columns(pl.col("day").dt.strftime("%Y-%m-%d"))
    shown = [text[5:] for text in sales["day"].unique().sort().to_list()]
    systems = sales["system"].unique().sort().to_list()
    colours = [_CHANNELS[n % len(_CHANNELS)] for n in range(len(systems))]
    every = max(1, -(-len(shown) // 10))
    bars = (
        alt.Chart(_values(sales.with_columns(day=pl.col("day").str.slice(5))))
        .mark_bar()
        .encode(
            x=alt.X(
                "day:N",
                sort=shown,
                title=None,
                axis=alt.Axis(labelColor=_QUIET, labelAngle=0, ticks=False, values=shown[::every]),
            ),
            y=alt.Y("revenue:Q", title=None, axis=alt.Axis(labelColor=_QUIET, tickCount=4, format=",.0f", grid=True)),
            color=alt.Color(
                "system:N",
                scale=alt.Scale(domain=systems, range=colours),
                legend=alt.Legend(title=None, orient="top", labelColor=_INK, labelFontSize=12, labelLimit=140),
            ),
        )
        .properties(width=width, height=height)
    )
    return _svg(bars)


def moves_chart(dashboard: Dashboard, *, width: int = 250) -> str:
    """Return the money that lies in stock by how the SKUs move as SVG bars, or an empty string when no cost is known."""
    moves = dashboard.business.moves.drop_nulls("tied_up")
    if moves.is_empty():
        return ""
    import altair as alt

    words = [f"{money:,.0f} in {skus:,} SKUs" for money, skus in moves.select("tied_up", "skus").iter_rows()]
    told = moves.with_columns(told=pl.Series(words))
    room = 2.1 * float(moves["tied_up"].to_numpy().max() or 1.0)
    base = alt.Chart(_values(told)).encode(
        y=alt.Y("moves:N", sort=None, title=None, axis=alt.Axis(labelColor=_INK, labelFontSize=12, ticks=False, domain=False)),
        x=alt.X("tied_up:Q", title=None, axis=None, scale=alt.Scale(domain=[0, room], nice=False)),
    )
    idle = alt.Scale(domain=["fast", "steady", "slow", "still"], range=[_LINE, _LINE, _WATCH, _BAD])
    bars = base.mark_bar(cornerRadius=2).encode(color=alt.Color("moves:N", scale=idle, legend=None))
    texts = base.mark_text(align="left", dx=4, color=_INK, fontSize=12).encode(text="told:N")
    return _svg((bars + texts).properties(width=width, height=24 * moves.height))


def _values(frame: pl.DataFrame) -> dict[str, Any]:
    return {"values": frame.to_dicts()}


def _svg(chart: object) -> str:
    import altair as alt
    import vl_convert as vlc

    assert isinstance(chart, alt.TopLevelMixin)
    spec = chart.configure(font=_FONT, background="transparent").configure_view(stroke=None).to_dict()
    svg: str = vlc.vegalite_to_svg(spec)
    return svg[svg.index("<svg") :]
