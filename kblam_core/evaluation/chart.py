"""Quality and speed against the number of facts, as one SVG: four panels, a line for each mode, 95 % intervals as whiskers.

The picture brings its own background and follows the reader's light or dark setting, so it can stand in a README.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from kblam_core.errors import InputError

WIDTH, HEIGHT = 900, 676
PANEL_WIDTH, PANEL_HEIGHT = 365, 210
_LEFT, _TOP = 62, 102  # of the first panel's plotting area
_STEP_X, _STEP_Y = 440, 302
_LIGHT = ("#0b62b8", "#c4460a", "#15803d", "#8b3fbf", "#96690a", "#52606d", "#b8326b", "#0e7a80")
_DARK = ("#6cb6ff", "#ff9a5c", "#5fd18a", "#cf9bf5", "#e3b341", "#a9b4c0", "#ff8fb8", "#56d4dd")


@dataclass(frozen=True)
class Panel:
    """One figure of the reports. path: where it stands in a report; interval: the name of its interval; share: drawn as percent."""

    title: str
    path: tuple[str, ...]
    interval: str = ""
    share: bool = True


@dataclass(frozen=True)
class Point:
    """A value at a number of facts, and its 95 % interval where there is one."""

    facts: int
    value: float
    interval: Sequence[float] | None = None


PANELS = (
    Panel("Accuracy", ("accuracy",), "accuracy"),
    Panel("Refusal recall (unanswerable refused)", ("refusal", "recall"), "refusal_recall"),
    Panel("False refusal (answerable refused)", ("refusal", "false_refusal"), "false_refusal"),
    Panel("Time to first token (ms, median)", ("speed", "ttft_ms", "p50"), share=False),
)


def chart(reports: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """SVG text for (name, report) pairs. Raises InputError when two reports would share a place."""
    modes = list(dict.fromkeys(report["mode"] for _, report in sorted(reports, key=lambda pair: pair[1]["mode"] != "kblam")))
    if len(modes) > len(_LIGHT):
        raise InputError(f"A chart shows at most {len(_LIGHT)} modes, and these reports hold {len(modes)}. Name fewer files.")
    places: dict[tuple[str, int], str] = {}
    for name, report in reports:
        place = report["mode"], report["n_triples"]
        if place in places:
            raise InputError(f"{places[place]} and {name} both hold {place[0]} on {place[1]:,} facts. Chart one of the two.")
        places[place] = name
    sizes = sorted({facts for _, facts in places})
    parts = [_head(modes)]
    for number, panel in enumerate(PANELS):
        left, top = _LEFT + number % 2 * _STEP_X, _TOP + number // 2 * _STEP_Y
        series = [_points(panel, [report for _, report in reports if report["mode"] == mode]) for mode in modes]
        parts.append(_panel(panel, series, sizes, left, top))
    return "\n".join([*parts, "</svg>", ""])


def _points(panel: Panel, reports: Sequence[dict[str, Any]]) -> list[Point]:
    points = []
    for report in sorted(reports, key=lambda report: report["n_triples"]):
        value: Any = report
        for key in panel.path:
            value = value[key]
        if value is not None and (panel.share or value > 0):
            points.append(Point(report["n_triples"], value, (report.get("intervals") or {}).get(panel.interval)))
    return points


def _head(modes: Sequence[str]) -> str:
    light, dark = ("".join(f".s{i}{{--c:{colour}}}" for i, colour in enumerate(colours[: len(modes)])) for colours in (_LIGHT, _DARK))
    style = (
        "svg{--b:#fff;--t:#1f2933;--m:#52606d;--g:#d9dee4;font-family:system-ui,sans-serif;font-size:13px}"
        f"{light}@media(prefers-color-scheme:dark){{svg{{--b:#14181d;--t:#e6eaee;--m:#a9b4c0;--g:#38414b}}{dark}}}"
        "text{fill:var(--m)}.h{fill:var(--t);font-weight:600;font-size:15px}.l{fill:var(--t)}"
        ".g{stroke:var(--g)}.line{fill:none;stroke:var(--c);stroke-width:2}.s0 .line,.s0.line{stroke-width:3}"
        ".whisker{stroke:var(--c);stroke-width:1.5;opacity:.55}.dot{fill:var(--c);stroke:var(--b)}"
    )
    title = "Accuracy, refusals and time to first token against the number of facts"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">',
        f"<title>{title}: {escape(', '.join(modes))}</title><style>{style}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="10" style="fill:var(--b)"/>',
    ]
    x = _LEFT
    for number, mode in enumerate(modes):
        lines.append(
            f'<g class="s{number}"><line class="line" x1="{x}" y1="32" x2="{x + 26}" y2="32"/>{_mark(number, x + 13, 32)}'
            f'<text class="l" x="{x + 33}" y="36.5">{escape(mode)}</text></g>'
        )
        x += round(50 + 7.3 * len(mode))
    return "\n".join(lines)


def _panel(panel: Panel, series: Sequence[Sequence[Point]], sizes: Sequence[int], left: int, top: int) -> str:
    ticks = _ticks(panel, [point for points in series for point in points])
    low, high = (_scaled(panel, tick) for tick in (ticks[0], ticks[-1]))
    bottom = top + PANEL_HEIGHT

    def y(value: float) -> float:
        share = (_scaled(panel, value) - low) / (high - low)
        return round(bottom - max(0.0, min(1.0, share)) * PANEL_HEIGHT, 1)

    def x(facts: int) -> float:
        first, last = math.log(sizes[0]), math.log(sizes[-1])
        share = (math.log(facts) - first) / (last - first) if last > first else 0.5
        return left + 30 + share * (PANEL_WIDTH - 60)

    lines = [f'<text class="h" x="{left}" y="{top - 16}">{escape(panel.title)}</text>']
    for tick in ticks:
        label = f"{tick * 100:.0f} %" if panel.share else f"{tick:,.0f}"
        lines.append(f'<line class="g" x1="{left}" y1="{y(tick)}" x2="{left + PANEL_WIDTH}" y2="{y(tick)}"/>')
        lines.append(f'<text x="{left - 8}" y="{y(tick) + 4.5}" text-anchor="end">{label}</text>')
    for facts in sizes:
        lines.append(f'<text x="{x(facts):.1f}" y="{bottom + 20}" text-anchor="middle">{facts:,}</text>')
    lines.append(f'<text x="{left + PANEL_WIDTH / 2}" y="{bottom + 39}" text-anchor="middle">facts in the table</text>')
    # kblam, the first, is drawn last and so lies on top. Points at one size stand side by side.
    for number, points in reversed(list(enumerate(series))):
        aside = (number - (len(series) - 1) / 2) * 5
        spots = [(round(x(point.facts) + aside, 1), y(point.value), point) for point in points]
        drawn = [f'<polyline class="line" points="{" ".join(f"{a},{b}" for a, b, _ in spots)}"/>'] if len(spots) > 1 else []
        for a, b, point in spots:
            if point.interval:
                drawn.append(f'<line class="whisker" x1="{a}" y1="{y(point.interval[0])}" x2="{a}" y2="{y(point.interval[1])}"/>')
            drawn.append(_mark(number, a, b))
        lines.append(f'<g class="s{number}">{"".join(drawn)}</g>')
    return "\n".join(lines)


def _scaled(panel: Panel, value: float) -> float:
    return value if panel.share else math.log10(value)


def _ticks(panel: Panel, points: Sequence[Point]) -> list[float]:
    """Round values that hold all points: shares from 0, times by powers of ten."""
    values = [point.value for point in points]
    if not panel.share:
        first, last = (math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))) if values else (0, 1)
        return [10.0**power for power in range(first, max(last, first + 1) + 1)]
    top = max([*values, *(point.interval[1] for point in points if point.interval)], default=1)
    step = next(step for step in (0.02, 0.05, 0.1, 0.2) if step * 5 >= top - 1e-9 or step == 0.2)
    return [step * number for number in range(6)]


def _mark(number: int, x: float, y: float) -> str:
    """A disc, square, diamond or triangle, so that lines are told apart without colour too."""
    if number % 4 == 0:
        return f'<circle class="dot" cx="{x}" cy="{y}" r="5"/>'
    if number % 4 == 1:
        return f'<rect class="dot" x="{x - 4.5:.1f}" y="{y - 4.5:.1f}" width="9" height="9"/>'
    across = 6.0
    corners = [(x, y - across), (x + across, y), (x, y + across), (x - across, y)]
    if number % 4 == 3:
        corners = [(x, y - across), (x + across, y + 5), (x - across, y + 5)]
    return f'<polygon class="dot" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in corners)}"/>'
