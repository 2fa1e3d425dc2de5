"""The frontier as a picture: what a smaller risk of overselling costs in sales, beside what a poller's fixed buffers cost."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["Spot", "draw"]

_OURS, _POLLING, _INK, _QUIET = "#0072b2", "#d55e00", "#1f2933", "#52606d"
_FONT: Final = "system-ui, sans-serif"


class Spot(NamedTuple):
    """One setting: of which kind of sync, its own name, the share of sales lost, and units oversold for 10,000 orders."""

    kind: str
    name: str
    lost: float
    per_10k: float


def draw(spots: Sequence[Spot], path: Path) -> None:
    """Write the chart as SVG: sales lost to the right, oversold units upwards (linear below 1, logarithmic above)."""
    import altair as alt
    import vl_convert as vlc

    rows = [{"kind": s.kind, "name": s.name, "lost": s.lost, "oversold": s.per_10k} for s in spots]
    kinds = list(dict.fromkeys(spot.kind for spot in spots))
    base = alt.Chart(
        {"values": rows}
    ).encode(
        x=alt.X(
            "lost:Q",
            title="sales lost on contested SKUs",
            scale=alt.Scale(type="sqrt"),  # what matters lies near 0
            axis=alt.Axis(format=".1%", tickCount=6),
        ),
        y=alt.Y(
            "oversold:Q",
            title="units oversold by late numbers, for 10,000 orders",
            scale=alt.Scale(type="symlog", constant=1, domainMin=0),
            axis=alt.Axis(values=[0, 1, 10, 100, 1000, 10_000], format=",d"),
        ),
        color=alt.Color(
            "kind:N",
            scale=alt.Scale(domain=kinds, range=[_OURS, _POLLING][: len(kinds)]),
            legend=alt.Legend(title=None, orient="top", direction="vertical", labelColor=_INK, labelFontSize=12, labelLimit=320),
        ),
    )
    lines = base.mark_line(strokeWidth=1.5).encode(order="lost:Q")
    told = base.mark_text(align="left", dx=7, dy=-7, fontSize=11, color=_INK).encode(text="name:N", color=alt.value(_INK))
    chart = (lines + base.mark_point(filled=True, size=55) + told).properties(
        width=620, height=320, padding={"left": 5, "top": 5, "bottom": 5, "right": 60}
    )
    looks = chart.configure(font=_FONT, background="white").configure_axis(labelColor=_QUIET, titleColor=_QUIET, grid=True)
    path.write_text(vlc.vegalite_to_svg(looks.configure_view(stroke=None).to_dict()), encoding="utf-8")
