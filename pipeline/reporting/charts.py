"""Figures as SVG text: learning curves, error rates with intervals, score distributions.

They fit a README on a white or dark background as well as the page: no background of their own, and every colour has a
contrast of at least 3.8 : 1 against both white and #0d1117. The page adapts text by the classes `ink` and `muted`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Final

from pipeline.reporting.curves import Curve, Point
from pipeline.reporting.formatting import percent, thousands

NEUTRAL: Final = "#757f8a"
BLUE: Final = "#1a7fd4"
VERMILION: Final = "#cf5c0e"
GREEN: Final = "#0b8f6a"
"""Distinguishable with any colour vision. Source: Okabe and Ito, Color Universal Design, 2008."""
FURTHER: Final = ("#a05fc0", "#a07400", "#c4508a", "#5d8a2f")
"""Colours of the trained systems besides challenger and baseline, in their order in params.yaml; their curves are dashed too."""


def system_colours(trained: Sequence[str], challenger: str, baseline: str) -> dict[str, str]:
    """Return a colour for every system: fixed ones for challenger, baseline, champion and donor, and one by order for each other."""
    others = [name for name in trained if name not in (challenger, baseline)]
    return {
        challenger: BLUE,
        baseline: VERMILION,
        **{name: FURTHER[index % len(FURTHER)] for index, name in enumerate(others)},
        "champion": GREEN,
        "donor": NEUTRAL,
    }

FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'DejaVu Sans', sans-serif"
WIDTH: Final = 760  # of a figure, in SVG units
CHARACTER: Final = 0.6
"""Mean width of a character in units of the font size, for the widest of these fonts: so no label is clipped."""


XY = tuple[float, float]
"""A position in SVG units, y downwards."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A rate with its interval, as fractions."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in SVG units, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        """Return whether the two rectangles have a common area."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def contains(self, x: float, y: float) -> bool:
        """Return whether a point is inside, borders included."""
        return self.left <= x <= self.right and self.top <= y <= self.bottom


def learning_curve(curves: Mapping[str, Curve], baseline: str, colours: Mapping[str, str]) -> str:
    """Return the learning curves as SVG: dev CER against Portuguese training steps.

    A circle marks each system's first evaluation at or below the final CER of the baseline.

    Args:
        curves: by system.
        baseline: the name of the baseline; it has a curve.
        colours: by system, as `system_colours` returns them.
    """
    height, plot = 430, Box(50, 78, WIDTH - 20, 382)
    last_step = max(curve.last.step for curve in curves.values())
    highest = min(1.0, max(point.cer for curve in curves.values() for point in curve.points))
    cer_ticks = ticks(highest, 5)
    top = cer_ticks[-1]

    def position(point: Point) -> XY:
        return (
            plot.left + (plot.right - plot.left) * point.step / max(last_step, 1),
            plot.bottom - (plot.bottom - plot.top) * min(point.cer, top) / top,
        )

    target = curves[baseline].last.cer
    reached = {name: point for name, curve in curves.items() if (point := curve.reaching(target))}
    target_y = position(curves[baseline].last)[1]
    target_right = max(position(point)[0] for point in reached.values())
    paths = {name: [position(point) for point in curve.points] for name, curve in curves.items()}

    parts = _curve_axes(plot, cer_ticks, last_step)
    for name, path in paths.items():
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in path)
        dashes = ' stroke-dasharray="7 5"' if colours[name] in FURTHER else ""
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colours[name]}" stroke-width="2.5"'
            f' stroke-linejoin="round" stroke-linecap="round"{dashes}/>'
        )
        parts.append(f'<circle cx="{path[-1][0]:.1f}" cy="{path[-1][1]:.1f}" r="3.5" fill="{colours[name]}"/>')
    parts.append(_line(plot.left, target_y, target_right, target_y, dashes="1.5 4", width=1.5, opacity=0.9))
    circles = {name: position(point) for name, point in reached.items()}
    for name, (x, y) in circles.items():
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6.5" fill="none" stroke="{colours[name]}" stroke-width="2"/>'
        )

    target_line = [(plot.left, target_y), (target_right, target_y)]
    parts += _curve_labels(curves, paths, reached, circles, target_line, plot, colours)

    subtitle = f"Circles: first evaluation at or below the final CER of {baseline}, {percent(target)} (dotted line)"
    description = ". ".join(
        f"{name} ends at {percent(curve.last.cer)} after {thousands(curve.last.step)} steps"
        + (f" and first reaches {percent(target)} at step {thousands(reached[name].step)}" if name in reached else "")
        for name, curve in curves.items()
    )
    return _svg(height, "Character error rate on the Portuguese dev set", subtitle, description, parts)


def _curve_axes(plot: Box, cer_ticks: Sequence[float], last_step: int) -> list[str]:
    """Return the grid lines and the labels of both axes."""
    parts = []
    for cer in cer_ticks:
        y = plot.bottom - (plot.bottom - plot.top) * cer / cer_ticks[-1]
        parts.append(_line(plot.left, y, plot.right, y, opacity=0.55 if cer == 0 else 0.2))
        parts.append(_text(plot.left - 10, y + 4, f"{cer * 100:g}\N{NO-BREAK SPACE}%", anchor="end"))
    for step in ticks(last_step, 6):
        x = plot.left + (plot.right - plot.left) * step / max(last_step, 1)
        if x <= plot.right + 0.5:
            parts.append(_text(x, plot.bottom + 20, thousands(step), anchor="middle"))
    parts.append(_text(plot.left, plot.bottom + 40, "Portuguese training steps"))
    return parts


def _curve_labels(
    curves: Mapping[str, Curve],
    paths: Mapping[str, Sequence[XY]],
    reached: Mapping[str, Point],
    circles: Mapping[str, XY],
    target_line: Sequence[XY],
    plot: Box,
    colours: Mapping[str, str],
) -> list[str]:
    """Return the labels of the curves' ends and of the circles before an end, each where it covers least."""
    drawn = [spot for path in paths.values() for spot in _densify(path)]
    drawn += _densify(target_line)
    labels: list[Box] = []
    frame = Box(plot.left + 4, plot.top, WIDTH - 4, plot.bottom - 2)
    parts = []
    for name, path in paths.items():
        value = percent(curves[name].last.cer)
        x, y, anchor, box = _place_label(path[-1], f"{name} {value}", 13.5, drawn, labels, frame)
        labels.append(box)
        parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="13.5" text-anchor="{anchor}" fill="{colours[name]}">'
            f'<tspan font-weight="600">{escape(name)}</tspan> {value}</text>'
        )
    for name, point in reached.items():
        if point == curves[name].last:
            continue
        label = f"step {thousands(point.step)}"
        x, y, anchor, box = _place_label(circles[name], label, 12, drawn, labels, frame)
        labels.append(box)
        parts.append(_text(x, y, label, anchor=anchor, colour=colours[name]))
    return parts


def system_chart(systems: Sequence[tuple[str, str, Interval]], colours: Mapping[str, str]) -> str:
    """Return the word error rates of the systems with their intervals as SVG.

    Args:
        systems: name (for the colour), label and WER of each system, at least one, from top to bottom.
        colours: by system, as `system_colours` returns them.
    """
    row_height, first_y = 34, 84
    left = 16 + max(len(label) for _, label, _ in systems) * 13.5 * CHARACTER * 1.05  # the labels are bold
    plot = Box(left, first_y - 16, WIDTH - 180, first_y + row_height * (len(systems) - 1) + 16)
    top = 1.02 * max(rate.high for _, _, rate in systems) or 1.0

    def position(rate: float) -> float:
        return plot.left + (plot.right - plot.left) * rate / top

    parts = []
    for tick in (tick for tick in ticks(top, 5) if tick <= top):
        x = position(tick)
        parts.append(_line(x, plot.top, x, plot.bottom, opacity=0.55 if tick == 0 else 0.2))
        parts.append(_text(x, plot.bottom + 20, f"{tick * 100:g}\N{NO-BREAK SPACE}%", anchor="middle"))
    for index, (name, label, rate) in enumerate(systems):
        y, colour = first_y + index * row_height, colours.get(name, NEUTRAL)
        parts.append(_text(plot.left - 14, y + 4.5, label, anchor="end", size=13.5, colour=colour, weight=600))
        parts.append(_line(position(rate.low), y, position(rate.high), y, colour=colour, width=3))
        for end in (rate.low, rate.high):
            parts.append(_line(position(end), y - 5, position(end), y + 5, colour=colour, width=2))
        parts.append(f'<circle cx="{position(rate.value):.1f}" cy="{y}" r="5.5" fill="{colour}"/>')
        parts.append(
            f'<text x="{plot.right + 16}" y="{y + 4.5}" font-size="13.5" fill="{NEUTRAL}" class="muted">'
            f'<tspan font-weight="600" class="ink">{percent(rate.value)}</tspan>'
            f"  {rate.low * 100:.1f} to {rate.high * 100:.1f}</text>"
        )
    description = ". ".join(
        f"{label}: {percent(rate.value)}, interval {percent(rate.low)} to {percent(rate.high)}"
        for _, label, rate in systems
    )
    return _svg(
        int(plot.bottom) + 34,
        "Word error rate on the Portuguese test set",
        "Point: corpus-level WER; bar: its interval; lower is better",
        description,
        parts,
    )


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a heat map.

    Args:
        text: its value, for print.
        shade: 0 (lightest) to 1.
        marked: whether its text is bold.
    """

    text: str
    shade: float
    marked: bool


def heat_map(title: str, subtitle: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[Cell]]]) -> str:
    """Return a table of shaded cells as SVG; each value is beside its cell, where the shade does not cover it.

    Args:
        title: of the figure.
        subtitle: what shade and bold type mean.
        columns: their headings.
        rows: label and cells of each row, from top to bottom.
    """
    row_height, first_y, swatch = 30, 102, 46
    left = 24 + max(len(label) for label, _ in rows) * 13.5 * CHARACTER * 1.05  # the labels are bold
    width = (WIDTH - 12 - left) / len(columns)
    parts = [_text(left + column * width, 78, name, size=12.5, weight=600) for column, name in enumerate(columns)]
    for number, (label, cells) in enumerate(rows):
        y = first_y + number * row_height
        parts.append(_text(left - 14, y + 4.5, label, anchor="end", size=13.5, weight=600))
        for column, cell in enumerate(cells):
            x = left + column * width
            parts.append(f'<rect x="{x:.1f}" y="{y - 11:.1f}" width="{swatch}" height="22" rx="3" fill="{BLUE}" fill-opacity="{cell.shade:.2f}"'
                         f' stroke="{NEUTRAL}" stroke-opacity="0.35"/>')
            emphasis = ' font-weight="700" class="ink"' if cell.marked else ' class="muted"'
            parts.append(f'<text x="{x + swatch + 8:.1f}" y="{y + 4.5:.1f}" font-size="12.5" fill="{NEUTRAL}"{emphasis}>{escape(cell.text)}</text>')
    description = ". ".join(f"{label}: " + ", ".join(f"{name} {cell.text}" for name, cell in zip(columns, cells, strict=True))
                            for label, cells in rows)
    return _svg(first_y + row_height * (len(rows) - 1) + 26, title, subtitle, description, parts)


def score_chart(edges: Sequence[float], transcripts: Sequence[int], negatives: Sequence[int], threshold: float | None) -> str:
    """Return as SVG the score distributions of the training transcripts and of the synthetic negatives.

    Args:
        edges: bin edges of both histograms, ascending, in log-odds; one more than there are bins.
        transcripts: transcripts per bin.
        negatives: synthetic negatives (transcripts made wrong on purpose) per bin.
        threshold: transcripts with a lower score were dropped; None if none was dropped by its score.
    """
    height, plot = 260, Box(20, 78, WIDTH - 20, 212)
    low, high = edges[0], edges[-1]
    scale = (plot.right - plot.left) / (high - low)
    parts = [_line(plot.left, plot.bottom, plot.right, plot.bottom, opacity=0.55)]
    for name, counts, colour, opacity, x, anchor in (
        ("synthetic negatives", negatives, VERMILION, 0.45, plot.left, "start"),
        ("training transcripts", transcripts, BLUE, 0.7, plot.right, "end"),
    ):
        highest = max([1, *counts])
        for (left, right), count in zip(pairwise(edges), counts, strict=True):
            bar = (plot.bottom - plot.top) * count / highest
            parts.append(
                f'<rect x="{plot.left + (left - low) * scale:.1f}" y="{plot.bottom - bar:.1f}" width="{(right - left) * scale:.1f}"'
                f' height="{bar:.1f}" fill="{colour}" opacity="{opacity}"/>'
            )
        parts.append(_text(x, plot.top - 8, f"{name}: {thousands(sum(counts))}", anchor=anchor, colour=colour))
    if threshold is not None:
        x = plot.left + (min(max(threshold, low), high) - low) * scale
        parts.append(_line(x, plot.top, x, plot.bottom + 6, dashes="4 3", width=1.5, opacity=0.9))
        parts.append(_text(min(max(x, 90), WIDTH - 90), plot.bottom + 22, f"dropped below {threshold:.1f}", anchor="middle"))
    decision = "no transcript was dropped by its score" if threshold is None else f"transcripts below {threshold:.1f} were dropped"
    description = f"{thousands(sum(transcripts))} training transcripts and {thousands(sum(negatives))} synthetic negatives; {decision}"
    subtitle = "Log-odds that a transcript is right; each histogram is scaled to its highest bar"
    return _svg(height, "Scores of the training transcripts", subtitle, description, parts)


def ticks(highest: float, about: int) -> list[float]:
    """Return round values at equal distances, from 0 to the first one at or above `highest`.

    0.87, 5 → 0, 0.2, 0.4, 0.6, 0.8, 1

    Args:
        highest: the largest value to show.
        about: the approximate number of values.
    """
    if highest <= 0:
        return [0.0, 1.0]
    rough = highest / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    return [round(step * index, 12) for index in range(math.ceil(highest / step - 1e-9) + 1)]


LABEL_OFFSETS: Final = (
    (11, 4, "start"),
    (9, 20, "start"),
    (9, -11, "start"),
    (-9, 21, "end"),
    (5, -14, "end"),
    (5, 24, "end"),
    (0, 24, "middle"),
    (0, -14, "middle"),
    (-9, -11, "end"),
    (-11, 4, "end"),
    (9, 36, "start"),
    (-9, 38, "end"),
)
"""Candidate positions of a label relative to its point: dx, dy and text-anchor, the preferred first."""


def _place_label(
    point: XY, text: str, size: float, drawn: Sequence[XY], labels: Sequence[Box], frame: Box
) -> tuple[float, float, str, Box]:
    """Return the position next to `point` where a label covers least: x, y, text-anchor and the label's box.

    Args:
        point: what the label names.
        text: the label.
        size: font size.
        drawn: points along the lines already drawn, about three units apart.
        labels: boxes of the labels already placed.
        frame: the area that the label should stay in.
    """
    width = len(text) * size * CHARACTER
    best: tuple[float, tuple[float, float, str, Box]] | None = None
    for order, (dx, dy, anchor) in enumerate(LABEL_OFFSETS):
        x, y = point[0] + dx, point[1] + dy
        left = {"start": x, "middle": x - width / 2, "end": x - width}[anchor]
        box = Box(left - 2, y - size, left + width + 2, y + size * 0.35)
        outside = box.left < frame.left or box.right > frame.right or box.top < frame.top or box.bottom > frame.bottom
        cost = (
            500 * outside
            + 100 * sum(box.overlaps(other) for other in labels)
            + sum(box.contains(*spot) for spot in drawn)
            + order / 10
        )
        if best is None or cost < best[0]:
            best = cost, (x, y, anchor, box)
    assert best is not None
    return best[1]


def _densify(path: Sequence[XY]) -> list[XY]:
    """Return points along a path, about three units apart."""
    points = list(path[:1])
    for (x0, y0), (x1, y1) in pairwise(path):
        count = max(1, round(math.hypot(x1 - x0, y1 - y0) / 3))
        points += [(x0 + (x1 - x0) * i / count, y0 + (y1 - y0) * i / count) for i in range(1, count + 1)]
    return points


def _line(
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    *,
    colour: str = NEUTRAL,
    width: float = 1,
    opacity: float = 1,
    dashes: str = "",
) -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{colour}" stroke-width="{width:g}"'
        f' stroke-opacity="{opacity:g}"{dashed}/>'
    )


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: float = 12, colour: str = NEUTRAL, weight: int = 400
) -> str:
    muted = ' class="muted"' if colour == NEUTRAL else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" font-weight="{weight}" text-anchor="{anchor}"'
        f' fill="{colour}"{muted}>{escape(text)}</text>'
    )


def _svg(height: int, title: str, subtitle: str, description: str, parts: Sequence[str]) -> str:
    heading = f'<text x="1" y="28" font-size="16" font-weight="600" fill="{NEUTRAL}" class="ink">{escape(title)}</text>'
    body = "\n".join([heading, _text(1, 48, subtitle), *parts])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
        f' role="img" font-family="{FONT}">\n<title>{escape(title)}</title>\n<desc>{escape(description)}.</desc>\n'
        f"{body}\n</svg>\n"
    )
