from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reporting.charts import Cell, Interval, heat_map, learning_curve, score_chart, system_chart, system_colours, ticks
from tests.reporting.results import curve


def luminance(colour: str) -> float:
    """Source: WCAG 2.2, relative luminance."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


COLOURS = system_colours(["transfer", "scratch", "scratch_long", "a", "b", "c"], "transfer", "scratch")


def charts() -> dict[str, str]:
    return {
        "curves": learning_curve(
            {
                "transfer": curve("transfer", (50, 1.4), (100, 0.3), (400, 0.1)),
                "scratch": curve("scratch", (50, 1.0), (400, 0.3)),
                "scratch_long": curve("scratch_long", (50, 1.0), (450, 0.29), (1200, 0.12)),
            },
            "scratch",
            COLOURS,
        ),
        "two curves of one point": learning_curve(
            {"transfer": curve("transfer", (0, 0.0)), "scratch": curve("scratch", (0, 0.0))}, "scratch", COLOURS
        ),
        "heat map": heat_map("Similarity", "Darker: nearer", ["score", "lexical", "phonological", "orthographic", "acoustic"], [
            (name, [Cell(f"{shade:+.2f}", shade, shade > 0.5) for shade in (0.0, 0.25, 0.5, 0.75, 1.0)])
            for name in ("Spanish", "Latin American Spanish")]),
        "systems": system_chart(
            [
                ("transfer", "transfer", Interval(0.2, 0.1, 0.3)),
                ("champion", "champion = donor", Interval(1.2, 1.1, 1.3)),
            ],
            COLOURS,
        ),
        "scores": score_chart([-9.5, -3.0, 0.0, 4.0], [2, 10, 1400], [400, 30, 0], -3.0),
        "scores, nothing dropped": score_chart([-1.0, 4.0], [0], [0], None),
        "scores, all dropped": score_chart([-1.0, 4.0], [7], [9], 99.0),
        "a system without errors": system_chart([("transfer", "<transfer> & co", Interval(0.0, 0.0, 0.0))], COLOURS),
    }


def test_every_system_has_a_colour_that_is_readable_on_white_and_on_dark() -> None:
    assert list(COLOURS) == ["transfer", "scratch", "scratch_long", "a", "b", "c", "champion", "donor"]
    for colour in COLOURS.values():
        for ground in ("#ffffff", "#0d1117"):
            low, high = sorted((luminance(colour), luminance(ground)))
            assert (high + 0.05) / (low + 0.05) >= 3.8, colour


@pytest.mark.parametrize("name", list(charts()))
def test_a_chart_fits_its_frame_and_is_readable_on_white_and_on_dark(name: str) -> None:
    svg = charts()[name]
    chart = ElementTree.fromstring(svg)
    width, height = float(chart.attrib["width"]), float(chart.attrib["height"])
    assert "nan" not in svg and "inf" not in svg.replace("instead", "")
    for element in chart.iter():
        tag = element.tag.rpartition("}")[2]
        assert tag in ("svg", "title", "desc", "text", "tspan", "line", "circle", "polyline", "rect")
        for key, limit in (
            ("x", width),
            ("x1", width),
            ("x2", width),
            ("cx", width),
            ("y", height),
            ("y1", height),
            ("cy", height),
        ):
            assert 0 <= float(element.attrib.get(key, 0)) <= limit
        for spot in element.attrib.get("points", "").split():
            assert all(0 <= float(part) <= limit for part, limit in zip(spot.split(","), (width, height), strict=True))
        for colour in (element.attrib.get("fill", "none"), element.attrib.get("stroke", "none")):
            if colour != "none":
                light = luminance(colour) + 0.05
                assert 1.05 / light >= 3.8 and light / (luminance("#0d1117") + 0.05) >= 3.8, colour


def test_labels_of_the_learning_curve_do_not_overlap() -> None:
    svg = charts()["curves"]
    boxes = []
    for found in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):
        text, size = "".join(found.itertext()), float(found.attrib["font-size"])
        if "step " in text or text.startswith(("transfer", "scratch")):
            x, y, wide = float(found.attrib["x"]), float(found.attrib["y"]), len(text) * size * 0.55
            left = {"start": x, "middle": x - wide / 2, "end": x - wide}[found.attrib["text-anchor"]]
            boxes.append((left, y - size, left + wide, y))
    assert len(boxes) == 5  # three ends, and two circles that are not at an end
    for index, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[index + 1 :]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


@given(st.floats(1e-6, 1e6), st.integers(2, 9))
def test_ticks_are_round_and_reach_the_highest_value(highest: float, about: int) -> None:
    found = ticks(highest, about)
    step = found[1]
    assert found[0] == 0 and found[-1] >= highest * 0.999999 and found[-2] < highest
    assert len(found) <= about + 2
    assert float(f"{step:.2g}") == pytest.approx(step)
