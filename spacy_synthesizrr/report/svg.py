"""From a matplotlib figure to an SVG that can stand inside a page.

A plain `savefig` would clash with its neighbours (same ids, a style sheet for `*`), differ from run to run, and be
unreadable on a dark page. So figures are drawn in placeholder colours that become CSS variables here, text stays text in
the page's own font, ids are the figure's own, and the size is left to the page.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Set
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TAG = re.compile(r"<[a-zA-Z][^>]*>")
POINTS = 72  # matplotlib's SVG units to the inch

# Placeholder colours (any that nobody would choose) and the CSS variable that each becomes.
INK, MUTED, GRID, PAPER = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04"
SERIES = tuple(f"#0a0c{number:02x}" for number in range(1, 9))
VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper"} | {code: f"c{number}" for number, code in enumerate(SERIES, 1)}

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a label may hold a dollar sign
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same widths on every machine
    "font.size": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "figure.facecolor": "none",
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelcolor": MUTED,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 1,
}


def color_variable(color: str) -> str:
    """RETURNS (str): The CSS that stands for a placeholder colour, such as "var(--c1)"."""
    return f"var(--{VARIABLES[color]})"


def draw(paint: Callable[[Figure], None], *, name: str, title: str, description: str, size: tuple[float, float]) -> str:
    """Draw a figure and return it as inline SVG; the same input gives the same bytes.

    paint (Callable): Fills the empty figure, in the colours of this module.
    name (str): Plain word, unique on the page: prefix of all ids.
    title (str): Short name for screen readers.
    description (str): What the figure shows, for screen readers.
    size (Tuple[float, float]): Width and height in points; the page scales it.
    RETURNS (str): An `<svg>` element.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    target = io.StringIO()
    with matplotlib.rc_context(), warnings.catch_warnings():
        # The browser has glyphs for other scripts; only the measuring of widths misses them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        matplotlib.rcdefaults()  # not the user's own matplotlibrc
        matplotlib.rcParams.update(STYLE | {"svg.hashsalt": name})
        figure = Figure(figsize=(size[0] / POINTS, size[1] / POINTS), layout="constrained")
        FigureCanvasSVG(figure)
        paint(figure)
        figure.savefig(target, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return inline(target.getvalue(), name=name, title=title, description=description)


def inline(svg: str, *, name: str, title: str, description: str) -> str:
    """Make a stand-alone SVG file fit for a page; see the head of this module. Only tags change, never texts."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*|<style[^>]*>.*?</style>\s*|<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    used = {target for tag in re.findall(TAG, svg) for target in re.findall(r'(?:url\(#|href="#)([^)"]+)', tag)}
    svg = re.sub(TAG, lambda match: _tag(match.group(0), name, used), svg)
    view_box = re.search(r'viewBox="[^"]*"', svg)
    head = (
        f'<svg {view_box.group(0) if view_box else ""} role="img" aria-labelledby="{name}-title {name}-description" '
        f'stroke-linejoin="round" xmlns="http://www.w3.org/2000/svg">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-description">{escape(description)}</desc>'
    )
    return re.sub(r">\s+<", "><", head + svg[svg.index(">") + 1 :].strip())


def _tag(tag: str, name: str, used: Set[str]) -> str:
    """One tag with colours as variables, the page's font, and ids of its own (those that nothing refers to are dropped)."""
    for placeholder, variable in VARIABLES.items():
        tag = tag.replace(placeholder, f"var(--{variable})")
    tag = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", tag)
    tag = re.sub(r" font-family: [^;\"]*;| transform=\"rotate\(-0 [^)]*\)\"", "", tag)
    tag = re.sub(r' id="([^"]*)"', lambda match: f' id="{name}-{match.group(1)}"' if match.group(1) in used else "", tag)
    return re.sub(r'(url\(#|(?:xlink:)?href="#)', lambda match: f"{match.group(1).removeprefix('xlink:')}{name}-", tag)
