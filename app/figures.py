"""The attention heatmap as a Plotly figure. Pure: a reduced table of weights and the facts go in, a figure comes out."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from app.texts import say
from kblam_core import Heatmap, Trace, Triple

GREY = "#7c8794"  # readable on white and on black: figures do not follow the page's dark mode
SCALE = [
    [0.0, "rgba(20, 148, 136, 0.05)"],
    [0.15, "rgba(20, 148, 136, 0.30)"],
    [0.5, "rgba(20, 148, 136, 0.70)"],
    [1.0, "rgba(13, 148, 136, 1.00)"],
]
GREY_SCALE = [[0.0, "rgba(124, 135, 148, 0.06)"], [1.0, "rgba(124, 135, 148, 0.85)"]]
CHANGE_SCALE = [[0.0, "rgb(180, 83, 9)"], [0.5, "rgba(124, 135, 148, 0.08)"], [1.0, "rgb(13, 148, 136)"]]
DIFFERENT = 8  # facts in the difference map
ROW_HEIGHT = 36
LABEL_WIDTH = 26
TITLE_WIDTH = 84
LEAST_WIDTH = 520  # of a figure, in pixels
BESIDE = 280  # labels and colour bar, about
COLUMN_WIDTH = 17  # below, the slanted words run into one another


def heatmap_figure(heatmap: Heatmap, facts: Sequence[Triple], *, rows: str = "answer", fixed: bool = False, lang: str = "en") -> go.Figure:
    """Words left to right, facts top to bottom (most attended first), the last row all other facts.

    heatmap.weights: (tokens, shown facts + 1), each row a word's shares. heatmap.kb_mass: (tokens,), drawn as bars above.
    `facts` is the table that heatmap.facts indexes; it and `rows` go into layout.meta, by which the explorer knows a clicked cell;
    layout.meta.least_width is in pixels, what is narrower scrolls.
    fixed: the colours reach to heatmap.peak, the same for all layers and heads; else to the largest share of this map.
    """
    shares = np.asarray(heatmap.weights, dtype=np.float32).T  # (shown facts + 1, tokens)
    shown = [facts[index] for index in heatmap.facts]
    others = _escape(say(lang, "others"))
    words = [_word(token) for token in heatmap.tokens]
    columns = list(range(len(words)))
    mass = [float(share) for share in heatmap.kb_mass]
    top = _top(np.array([heatmap.peak]) if fixed else shares[:-1])

    figure = go.Figure()
    figure.add_bar(
        x=columns,
        y=mass,
        yaxis="y2",
        marker={"color": "rgba(124, 135, 148, 0.45)", "line": {"width": 0}},
        hovertext=[f"{word}<br><b>{share:.1%}</b>" for word, share in zip(words, mass, strict=True)],
        hoverinfo="text",
        showlegend=False,
    )
    figure.add_heatmap(
        **_cells(shares[:-1], words, [_hover(fact) for fact in shown], 0, top),
        colorscale=SCALE,
        colorbar={
            "title": {"text": say(lang, f"scale_{heatmap.scale}"), "side": "right"},
            "tickformat": ".0%",
            "thickness": 10,
            "len": 0.8,
            "y": 0.4,
            "outlinewidth": 0,
        },
    )
    # The other facts are a sum, not a fact: in grey, on the same range.
    figure.add_heatmap(**_cells(shares[-1:], words, [others], len(shown), top), colorscale=GREY_SCALE, showscale=False)
    height = 206 + ROW_HEIGHT * (len(shown) + 1)
    split = 1 - 62 / (height - 146)
    axis = {"showgrid": False, "zeroline": False, "fixedrange": True}
    figure.update_layout(
        title={
            "text": _wrap_title(heatmap.title),
            "x": 0,
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 24, "l": 8},
            "font": {"size": 13},
        },
        meta={"rows": rows, "facts": [int(fact) for fact in heatmap.facts], "least_width": least_width(len(words))},
        height=height,
        margin={"l": 8, "r": 8, "t": 76, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": GREY, "family": "system-ui, sans-serif", "size": 12},
        xaxis={**axis, "tickvals": columns, "ticktext": words, "tickangle": -60, "automargin": True},
        yaxis={
            **axis,
            "tickvals": list(range(len(shown) + 1)),
            "ticktext": [_label(fact) for fact in shown] + [others],
            "range": [len(shown) + 0.5, -0.5],
            "automargin": True,
            "domain": [0, split],
            "tickfont": {"size": 11},
        },
        yaxis2={
            **axis,
            "domain": [split + 0.03, 1],
            "range": [0, 1],
            "tickvals": [0, 1],
            "tickformat": ".0%",
            "anchor": "x",
        },
        annotations=[_bar_title(say(lang, "table_share"))],
        hoverlabel={"align": "left"},
        dragmode=False,
        bargap=0.15,
    )
    return figure


def difference_figure(
    before: Trace | None, facts_before: Sequence[Triple], after: Trace | None, facts_after: Sequence[Triple], *, lang: str = "en"
) -> go.Figure | None:
    """What the question's tokens gave each fact more (teal) or less (amber) in the second answer; None when the tokens differ or
    one answer has no trace.

    Facts are matched by entity and property; a fact that one trace does not keep counts as unattended there.
    """
    if not before or not after or not before.question_tokens or before.question_tokens != after.question_tokens:
        return None
    given: dict[tuple[str, str], np.ndarray] = {}
    hovers: dict[tuple[str, str], str] = {}
    for sign, trace, facts in ((-1, before, facts_before), (1, after, facts_after)):
        shares = trace.shares()[: len(trace.question_tokens)]  # (Tq, F + 2)
        for place, fact in enumerate(trace.facts):
            key = (facts[fact].entity, facts[fact].property)
            given[key] = given.get(key, 0) + sign * shares[:, place]
            hovers[key] = _hover(facts[fact])
    keys = sorted(given, key=lambda key: -np.abs(given[key]).sum())[:DIFFERENT]
    change = np.stack([given[key] for key in keys]) if keys else np.zeros((0, len(before.question_tokens)))  # (shown, Tq)
    words = [_word(token) for token in before.question_tokens]
    top = _top(np.abs(change))
    cells = _cells(change, words, [hovers[key] for key in keys], 0, top)
    figure = go.Figure()
    figure.add_heatmap(
        **{**cells, "zmin": -top},
        colorscale=CHANGE_SCALE,
        colorbar={
            "title": {"text": say(lang, "difference_share"), "side": "right"},
            "tickformat": "+.0%",
            "thickness": 10,
            "outlinewidth": 0,
        },
    )
    axis = {"showgrid": False, "zeroline": False, "fixedrange": True, "automargin": True}
    labels = [f"{_short(entity)}<br>{_short(name)}" for entity, name in keys]
    figure.update_layout(
        title={"text": _wrap_title(say(lang, "difference_title")), "x": 0, "pad": {"l": 8}, "font": {"size": 13}},
        meta={"least_width": least_width(len(words))},
        height=170 + ROW_HEIGHT * len(keys),
        margin={"l": 8, "r": 8, "t": 64, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": GREY, "family": "system-ui, sans-serif", "size": 12},
        xaxis={**axis, "tickvals": list(range(len(words))), "ticktext": words, "tickangle": -60},
        yaxis={
            **axis,
            "tickvals": list(range(len(keys))),
            "ticktext": labels,
            "range": [len(keys) - 0.5, -0.5],
            "tickfont": {"size": 11},
        },
        hoverlabel={"align": "left"},
        dragmode=False,
    )
    return figure


def _cells(shares: np.ndarray, words: list[str], names: list[str], first: int, top: float) -> dict:
    """The shared arguments of one heatmap trace; shares (rows, tokens), drawn from row `first` down."""
    return {
        "z": shares.round(4).tolist(),
        "x": list(range(len(words))),
        "y": list(range(first, first + len(names))),
        "hovertext": [
            [f"{name}<br><b>{share:.1%}</b> · {word}" for share, word in zip(row, words, strict=True)]
            for name, row in zip(names, shares, strict=True)
        ],
        "hoverinfo": "text",
        "zmin": 0.0,
        "zmax": top,
        "xgap": 1,
        "ygap": 2,
    }


def map_title(rows: str, layer: str, head: str, scale: str, lang: str) -> str:
    """Whose tokens, which layer and head or which mean, and what the numbers are shares of."""
    layer = say(lang, "mean_layers") if layer == "all" else say(lang, "one_layer", layer=layer)
    head = say(lang, "mean_heads") if head == "all" else say(lang, "one_head", head=head)
    return f"{say(lang, 'map_question' if rows == 'question' else 'map_answer')} · {layer}, {head} · {say(lang, f'scale_{scale}')}"


def least_width(columns: int) -> int:
    """How wide a figure must be, in pixels, for the words under its columns to be told apart."""
    return max(LEAST_WIDTH, BESIDE + COLUMN_WIDTH * columns)


def mean_mass(heatmap: Heatmap) -> float:
    """Mean share of the attention that went to the table, 0..1."""
    return float(np.mean(heatmap.kb_mass)) if len(heatmap.kb_mass) else 0.0


def _top(shares: np.ndarray) -> float:
    """The end of the colour range: the largest share, rounded up to a twentieth so that small changes keep the range."""
    return max(0.05, min(1.0, float(np.ceil(shares.max() * 20) / 20))) if shares.size else 0.05


def _bar_title(text: str) -> dict:
    return {
        "text": _escape(text),
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": 1,
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 11},
    }


def _short(text: str, width: int = LABEL_WIDTH) -> str:
    text = " ".join(text.split())
    return _escape(text if len(text) <= width else text[: width - 1] + "…")


def _escape(text: str) -> str:
    return html.escape(text, quote=False)


def _label(fact: Triple) -> str:
    return f"{_short(fact.entity)}<br>{_short(fact.property)}"


def _word(token: str) -> str:
    return _short(token.strip().replace("\n", "↵") or "␣", 14)


def _hover(fact: Triple) -> str:
    """The whole fact on short lines; an extremely long one is cut."""
    lines = []
    for text in (f"{fact.entity} · {fact.property}", fact.value):
        lines += [_escape(line) for line in textwrap.wrap(text[:600], 60)] or [""]
    return "<br>".join(lines)


def _wrap_title(title: str) -> str:
    """At most two lines, broken before the last " · " part where there is one."""
    first, mark, last = title.rpartition(" · ")
    parts = [title] if len(title) <= TITLE_WIDTH or not mark else [first, last]
    lines = [line for part in parts for line in textwrap.wrap(part, TITLE_WIDTH)]
    return "<br>".join(_escape(line) for line in lines[:2])
