"""Line plots as SVG: small, readable in light and in dark mode, and the same for the same figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 76, 16, 40, 44
POINTS = 300
# About as wide as one is in the legend.
LETTER = 7
# Told apart by hue, lightness and dash, on white and on black.
STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #444 }
.title { font-size: 15px; font-weight: 600; fill: #111 }
.grid { stroke: #8884; stroke-width: 1 }
.line { fill: none; stroke-width: 2; stroke-linejoin: round }
.s0 { stroke: #0b62c4 } .s1 { stroke: #b4500e; stroke-dasharray: 7 4 } .s2 { stroke: #777; stroke-dasharray: 2 4 }
@media (prefers-color-scheme: dark) {
  text { fill: #bbb } .title { fill: #eee }
  .s0 { stroke: #6db3ff } .s1 { stroke: #ffa564 } .s2 { stroke: #aaa }
}"""


@dataclass(frozen=True, slots=True)
class Line:
    """A series of points, x rising."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Plot:
    """`top` ends the y axis: a line is drawn up to where it leaves the picture."""

    title: str
    x: str
    y: str
    lines: Sequence[Line]
    top: float | None = None

    def svg(self) -> str:
        """The whole file."""
        return "\n".join((*self._frame(), *self._axes(), *self._drawn(), "</svg>", ""))

    @property
    def _most(self) -> tuple[float, float]:
        points = [point for line in self.lines for point in line.points]
        return max(x for x, _ in points), self.top or max(y for _, y in points)

    def _at(self, x: float, y: float) -> tuple[float, float]:
        right, top = self._most
        across, up = x / right, y / top
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    def _frame(self) -> Iterator[str]:
        names = "; ".join(line.name for line in self.lines)
        yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        yield f"<title>{escape(self.title)}</title><desc>{escape(f'{self.y} by {self.x}: {names}')}</desc>"
        yield f"<style>\n{STYLE}\n</style>"
        yield _text(LEFT, 22, self.title, kind="title")

    def _axes(self) -> Iterator[str]:
        right, top = self._most
        for value in ticks(top):
            _, y = self._at(0, value)
            yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
            yield _text(LEFT - 8, y + 4, short(value), anchor="end")
        for value in ticks(right):
            x, _ = self._at(value, 0)
            yield _text(x, HEIGHT - BOTTOM + 18, short(value), anchor="middle")
        yield _text(WIDTH - RIGHT, HEIGHT - 8, self.x, anchor="end")
        yield _text(WIDTH - RIGHT, 22, self.y, anchor="end")

    def _drawn(self) -> Iterator[str]:
        _, top = self._most
        legend: float = LEFT
        for number, line in enumerate(self.lines):
            within = [self._at(x, y) for x, y in thinned(line.points) if y <= top]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in within)
            yield f'<polyline class="line s{number}" points="{path}"/>'
            yield f'<path class="line s{number}" d="M{legend:.1f} {HEIGHT - 12}h30"/>'
            yield _text(legend + 36, HEIGHT - 8, line.name)
            legend += 60 + LETTER * len(line.name)


def thinned(points: Sequence[tuple[float, float]], most: int = POINTS) -> list[tuple[float, float]]:
    """Of each stretch its highest point, so that no peak is lost; and the ends."""
    if len(points) <= most:
        return list(points)
    step = len(points) / most
    stretches = (points[int(i * step) : int((i + 1) * step)] for i in range(most))
    peaks = [max(stretch, key=lambda point: point[1]) for stretch in stretches]
    return [points[0], *peaks[1:-1], points[-1]]


def ticks(top: float) -> list[float]:
    """Round numbers from 0 to `top`, four to eight of them."""
    rough = top / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(each * power for each in (1, 2, 2.5, 5, 10) if each * power >= rough)
    return [step * i for i in range(int(top / step + 1e-9) + 1)]


def short(value: float) -> str:
    """`1.5 M`, `20 k`, `7`."""
    for size, letter in ((1_000_000, " M"), (1_000, " k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _text(x: float, y: float, told: str, *, kind: str = "", anchor: str = "") -> str:
    given = f' class="{kind}"' if kind else ""
    given += f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{given}>{escape(told)}</text>'
