"""An SVG chart of a comparison: a bar of wall seconds for each downloader, with junk and losses beside it."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from .downloaders import PART_OF_IMAGENET
from .results import JUNK, LOST, WALL, Results

WIDTH, NAMES, BARS, LINE = 860, 210, 420, 22
OUR_COLOUR, OTHER_COLOUR, TEXT = "#1f77b4", "#b8bec6", "#222"


def svg(results: Results, titles: dict[str, str], machine: str) -> str:
    """Draw all scenarios, one below the other."""
    parts: list[str] = []
    y = LINE
    for scenario in results.scenarios():
        parts += _scenario(results, scenario, titles[scenario], y)
        y += (len(results.downloaders(scenario)) + 2) * LINE
    parts.append(_text(10, y, machine, size=11))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + LINE}" '
    style = 'font-family="sans-serif">\n<rect width="100%" height="100%" fill="white"/>\n'
    return head + style + "\n".join(parts) + "\n</svg>\n"


def _scenario(results: Results, scenario: str, title: str, y: int) -> Iterator[str]:
    names = results.downloaders(scenario)
    walls = {name: results.get(scenario, name, WALL) or 0.0 for name in names}
    longest = max(walls.values()) or 1.0
    yield _text(10, y, f"{title}: wall seconds", weight="bold")
    for position, name in enumerate(names, start=1):
        line = y + position * LINE
        colour = OUR_COLOUR if name.startswith(PART_OF_IMAGENET) else OTHER_COLOUR
        width = walls[name] / longest * BARS
        yield _text(NAMES - 8, line, name, anchor="end")
        yield f'<rect x="{NAMES}" y="{line - 13}" width="{width:.1f}" height="17" fill="{colour}"/>'
        yield _text(NAMES + width + 6, line, f"{walls[name]:.1f}{_flaws(results, scenario, name)}")


def _flaws(results: Results, scenario: str, name: str) -> str:
    counts = {"junk": results.get(scenario, name, JUNK), "lost": results.get(scenario, name, LOST)}
    parts = [f"{number:.0f} {what}" for what, number in counts.items() if number]
    return f"  ({', '.join(parts)})" if parts else ""


def _text(
    x: float, y: float, words: str, *, anchor: str = "start", weight: str = "normal", size: int = 13
) -> str:
    position = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {position} font-weight="{weight}" font-size="{size}" fill="{TEXT}">{escape(words)}</text>'
