"""All KB layers x heads of one answer: what each head gave the table and the facts used, and which did most. No gradio here."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.session import Turn
from app.texts import say
from kblam_core import Trace


def told_facts(turn: Turn) -> list[int]:
    """The facts that heads are judged by: those the answer used; after a refusal none."""
    kept = set(turn.answer.trace.facts)
    return [source.index for source in turn.answer.sources if source.index in kept]


def contributions(turn: Turn) -> np.ndarray:
    """(L, H): each head's share on the facts used, mean over the answer's tokens; on the whole table where none was used."""
    return turn.answer.trace.head_shares(told_facts(turn) or None)


def strongest(turn: Turn) -> tuple[str, str]:
    """(layer, head) of the head that contributed most, as the dropdowns name them."""
    shares = contributions(turn)
    if not shares.size:
        return "all", "all"
    layer, head = np.unravel_index(int(shares.argmax()), shares.shape)
    return str(turn.answer.trace.layers[layer]), str(head)


def layer_choices(trace: Trace, lang: str) -> list[tuple[str, str]]:
    """Only layers with a KB branch, and the mean of all."""
    return [(say(lang, "all_layers"), "all")] + [(str(layer), str(layer)) for layer in trace.layers]


def head_choices(turn: Turn, layer: str, lang: str) -> list[tuple[str, str]]:
    """The mean of all heads, then the heads of `layer` ("all": mean of the layers), strongest first, each with its share."""
    shares, layers = contributions(turn), [str(number) for number in turn.answer.trace.layers]
    row = shares[layers.index(layer)] if layer in layers else shares.mean(0)
    order = np.argsort(-row, kind="stable")
    return [(say(lang, "all_heads"), "all")] + [(f"{head} · {row[head]:.0%}", str(head)) for head in order]


def overview_value(turn: Turn, layer: str, head: str, lang: str) -> dict[str, Any]:
    """The value of the overview component; shares in 1/10,000 of all attention."""
    trace, told = turn.answer.trace, told_facts(turn)
    panels = [{"title": say(lang, "share_table"), "shares": _whole(trace.head_shares())}]
    if told:
        panels.append({"title": say(lang, "share_cited"), "shares": _whole(trace.head_shares(told))})
    labels = {"layer": say(lang, "layer"), "hint": say(lang, "overview_hint"), "cell": say(lang, "overview_cell")}
    labels["all_of"] = say(lang, "overview_layer")
    return {"layers": list(trace.layers), "heads": trace.heads, "chosen": [layer, head], "panels": panels, "labels": labels}


def _whole(shares: np.ndarray) -> list:
    return np.rint(np.clip(shares, 0, 1) * 10_000).astype(int).tolist()
