"""The attention tab: picks an answer's kept trace, reduces it, draws it. No call of the model happens here."""

from __future__ import annotations

import gradio as gr

from app.figures import heatmap_figure, mean_mass
from app.render import fact_list, literal, percent
from app.session import Session, Turn
from app.texts import say
from kblam_core import Trace

SHOWN = 5


def latest(session: Session, rows: str, layer: str, head: str, top_k: float) -> tuple:
    """Show the newest answer. Returns (intro, controls, turn, layer, head, plot, note), as build.ATTENTION_VIEW."""
    kept = session.traced()
    if not kept:
        text = say(session.lang, "attention_no_map" if session.turns else "attention_none")
        skips = (gr.skip(), gr.skip(), gr.skip(), None)
        return (f'<p class="kb-note">{literal(text)}</p>', gr.Column(visible=False), *skips, "")
    choices = [(_title(number, turn), number) for number, turn in kept]
    number, turn = kept[0]
    trace = turn.answer.trace
    layers, heads = layer_choices(trace, session.lang), head_choices(trace, session.lang)
    layer, head = _known(layer, layers), _known(head, heads)
    intro, plot, note = draw(session, number, rows, layer, head, top_k)
    return (
        intro,
        gr.Column(visible=True),
        gr.Dropdown(choices=choices, value=number),
        gr.Dropdown(choices=layers, value=layer),
        gr.Dropdown(choices=heads, value=head),
        plot,
        note,
    )


def draw(session: Session, number: int | None, rows: str, layer: str, head: str, top_k: float) -> tuple:
    """(intro, plot, note) of answer `number` for this choice of words, layer and head; "all" is the mean."""
    turn = next((turn for kept, turn in session.traced() if kept == number), None)
    if turn is None:
        return f'<p class="kb-note">{literal(say(session.lang, "attention_no_map"))}</p>', None, ""
    trace = turn.answer.trace
    heatmap = trace.heatmap(
        rows="question" if rows == "question" else "answer",
        layer=_number(layer, trace.layers),
        head=_number(head, range(trace.heads)),
        top_k=int(top_k),
    )
    note = say(session.lang, "map_note", mass="{mass}")
    note = literal(note).replace(literal("{mass}"), f"<b>{percent(mean_mass(heatmap))}</b>")
    figure = heatmap_figure(heatmap, turn.facts, lang=session.lang)
    return _intro(turn, session.lang), figure, f'<p class="kb-note">{note}</p>'


def layer_choices(trace: Trace, lang: str) -> list[tuple[str, str]]:
    """Only layers with a KB branch, and the mean of all."""
    return [(say(lang, "all_layers"), "all")] + [(str(layer), str(layer)) for layer in trace.layers]


def head_choices(trace: Trace, lang: str) -> list[tuple[str, str]]:
    return [(say(lang, "all_heads"), "all")] + [(str(head), str(head)) for head in range(trace.heads)]


def _intro(turn: Turn, lang: str) -> str:
    sources = turn.answer.sources or turn.answer.nearest
    used = len(turn.answer.sources)
    title = "nearest_facts" if not used else "fact_used" if used == 1 else "facts_used"
    facts = fact_list(sources[:SHOWN], lang, shares=bool(turn.answer.sources))
    question = f'<p class="kb-asked">{literal(turn.question)}</p>'
    return f'<div class="kb-turn">{question}<p class="kb-label">{literal(say(lang, title))}</p>{facts}</div>'


def _title(number: int, turn: Turn) -> str:
    question = " ".join(turn.question.split())
    return f"{number}. {question if len(question) <= 60 else question[:59] + '…'}"


def _known(value: object, choices: list[tuple[str, str]]) -> str:
    return str(value) if str(value) in {key for _, key in choices} else "all"


def _number(value: object, allowed) -> int | None:
    return next((number for number in allowed if str(number) == str(value)), None)
