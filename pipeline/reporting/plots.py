"""Figures of the pages as SVG, drawn by Vega-Lite (vl-convert): text and grid follow the page's colours in light and dark.

Figures for a README are in `charts`: they need fixed colours on any background.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

import pandas as pd
import vl_convert

from pipeline.reporting.charts import BLUE, FURTHER, GREEN, NEUTRAL, VERMILION

COLOURS: Final = (BLUE, VERMILION, GREEN, *FURTHER, NEUTRAL)
CONFIG: Final[dict[str, Any]] = {
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {"labelColor": "var(--muted)", "titleColor": "var(--ink)", "gridColor": "var(--hair)", "domainColor": "var(--muted)",
             "tickColor": "var(--muted)", "titleFontWeight": "normal", "labelFontSize": 11, "titleFontSize": 12},
    "legend": {"labelColor": "var(--ink)", "title": None, "labelFontSize": 12, "orient": "top", "labelLimit": 260},
}
BINS: Final = 40


def distributions(series: Mapping[str, pd.Series], title: str) -> str:
    """Return the distributions of a quantity as SVG: one stepped line per series, the share of its values in each bin.

    Args:
        series: values by name; NaN is left out.
        title: the quantity and its unit.
    """
    values = {name: found.dropna() for name, found in series.items()}
    both = pd.concat(list(values.values()), ignore_index=True)
    low, high = float(both.quantile(0.001)), float(both.quantile(0.999))
    width = (high - low) / BINS or 1.0
    rows = []
    for name, found in values.items():
        shares = ((found.clip(low, high) - low) / width).astype(int).clip(0, BINS - 1).value_counts(normalize=True)
        rows += [{"name": name, "x": round(low + width * place, 4), "share": round(float(shares.get(place, 0.0)), 5)} for place in range(BINS)]
    return _svg(title, {
        "data": {"values": rows},
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
        "encoding": {
            "x": _axis("x", title),
            "y": _axis("share", "share", format=".0%", tickCount=4),
            "color": _colour(list(values)),
        },
    }, height=130)


def reliability(series: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return a reliability diagram as SVG: accuracy against confidence, one line per series; the diagonal is perfect calibration.

    Args:
        series: bins by name, each with `confidence` and `accuracy` (means, as fractions) and `size` (its tokens).
    """
    rows = [{"name": name, **entry} for name, bins in series.items() for entry in bins]
    line: dict[str, Any] = {
        "mark": {"type": "line", "strokeWidth": 2},
        "encoding": {"x": _axis("confidence", "confidence", format=".0%", tickCount=5), "y": _axis("accuracy", "correct", format=".0%", tickCount=5),
                     "color": _colour(list(series))},
    }
    points = {"mark": {"type": "circle", "opacity": 1}, "encoding": {
        **line["encoding"], "size": {"field": "size", "type": "quantitative", "legend": None, "scale": {"range": [15, 260]}}}}
    diagonal = {
        "data": {"values": [{"confidence": 0, "accuracy": 0}, {"confidence": 1, "accuracy": 1}]},
        "mark": {"type": "line", "strokeDash": [4, 4], "color": "var(--muted)"},
        "encoding": {"x": line["encoding"]["x"], "y": line["encoding"]["y"]},
    }
    return _svg("accuracy against confidence", {"data": {"values": rows}, "layer": [diagonal, line, points]}, width=320, height=300)


def _axis(field: str, title: str, **axis: Any) -> dict[str, Any]:
    return {"field": field, "type": "quantitative", "title": title, "axis": axis, "scale": {"nice": True, "zero": field != "x"}}


def _colour(names: list[str]) -> dict[str, Any]:
    scale = {"domain": names, "range": [COLOURS[place % len(COLOURS)] for place in range(len(names))]}
    return {"field": "name", "type": "nominal", "scale": scale, "legend": {"symbolType": "square"} if len(names) > 1 else None}


def _svg(label: str, spec: Mapping[str, Any], width: int = 620, height: int = 160) -> str:
    svg = str(vl_convert.vegalite_to_svg({"width": width, "height": height, "background": None, "config": CONFIG, **spec}))
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
