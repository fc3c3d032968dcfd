"""Results as a picture: a bar of wall seconds for everyone, and a mark for junk and losses. Plain SVG."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from .contestants import OURS
from .results import JUNK, LOST, WALL, Results

WIDTH, NAMES, BARS, LINE = 860, 210, 420, 22
OUR_COLOUR, OTHER_COLOUR, TEXT = "#1f77b4", "#b8bec6", "#222"


def drawn(results: Results, titles: dict[str, str], machine: str) -> str:
    """Draw all scenarios, one below the other."""
    parts: list[str] = []
    y = LINE
    for scenario in results.scenarios():
        parts += _scenario(results, scenario, titles[scenario], y)
        y += (len(results.contestants(scenario)) + 2) * LINE
    parts.append(_text(10, y, machine, size=11))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + LINE}" '
    style = 'font-family="sans-serif">\n<rect width="100%" height="100%" fill="white"/>\n'
    return head + style + "\n".join(parts) + "\n</svg>\n"


def _scenario(results: Results, scenario: str, title: str, y: int) -> Iterator[str]:
    names = results.contestants(scenario)
    walls = {name: results.get(scenario, name, WALL) or 0.0 for name in names}
    longest = max(walls.values()) or 1.0
    yield _text(10, y, f"{title}: wall seconds", weight="bold")
    for place, name in enumerate(names, start=1):
        line = y + place * LINE
        colour = OUR_COLOUR if name.startswith(OURS) else OTHER_COLOUR
        width = walls[name] / longest * BARS
        yield _text(NAMES - 8, line, name, anchor="end")
        yield f'<rect x="{NAMES}" y="{line - 13}" width="{width:.1f}" height="17" fill="{colour}"/>'
        yield _text(NAMES + width + 6, line, f"{walls[name]:.1f}{_flaws(results, scenario, name)}")


def _flaws(results: Results, scenario: str, name: str) -> str:
    """Say what was wrong with the images, if anything was."""
    counts = {"junk": results.get(scenario, name, JUNK), "lost": results.get(scenario, name, LOST)}
    said = [f"{number:.0f} {what}" for what, number in counts.items() if number]
    return f"  ({', '.join(said)})" if said else ""


def _text(
    x: float, y: float, words: str, *, anchor: str = "start", weight: str = "normal", size: int = 13
) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} font-weight="{weight}" font-size="{size}" fill="{TEXT}">{escape(words)}</text>'
