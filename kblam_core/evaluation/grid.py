"""Tables in Markdown, and how shares are written in them."""

from __future__ import annotations

from collections.abc import Sequence


def grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; cells are escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell(text) for text in line) + " |" for line in lines)


def cell(text: str) -> str:
    """One cell's text: no bar, no line break, no markup."""
    return str(text).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def percent(share: float | None, interval: Sequence[float] | None = None) -> str:
    """ "81.0 %", with its interval "81.0 % (72.2–87.5)"; a dash where there is none."""
    if share is None:
        return "–"
    return f"{share * 100:.1f} %" + (f" ({interval[0] * 100:.1f}–{interval[1] * 100:.1f})" if interval else "")
