"""The page's own scripts and styles, read from assets/app; nothing comes from another machine."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "assets" / "app"


def script(name: str) -> str:
    """The text of assets/app/`name`."""
    return (FOLDER / name).read_text(encoding="utf-8")


# Narrow screens need the width that gradio leaves empty left and right; it lets no rule of css_paths within @media reach that far out.
HEAD = "<style>@media (max-width: 760px) { .gradio-container > .main { padding: 12px !important; } }</style>"
STYLES = [FOLDER / "style.css", FOLDER / "attention.css"]
