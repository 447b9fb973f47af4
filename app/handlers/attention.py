"""The attention tab: picks an answer's kept trace, reduces it, draws it. No call of the model happens here."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import gradio as gr

from app.explorer import explorer_value
from app.figures import heatmap_figure, map_title, mean_mass
from app.overview import head_choices, layer_choices, overview_value, strongest
from app.recorded import example_note
from app.render import literal, percent
from app.session import Session, Turn
from app.texts import say
from kblam_core import Heatmap
from kblam_core.trace import SCALES

CAVEAT = "https://arxiv.org/abs/1902.10186"


class View(NamedTuple):
    """What the controls of the heatmap hold, in the order of build.view_inputs."""

    rows: str = "answer"
    layer: str = "all"
    head: str = "all"
    top_k: float = 10
    scale: str = "raw"
    same: bool = True


def latest(session: Session, *view) -> tuple:
    """Show the newest answer. Returns the components of build.attention_view."""
    kept = session.traced()
    if not kept:
        text = say(session.lang, "attention_no_map" if session.turns else "attention_none")
        return (gr.Dropdown(visible=False), *_nothing(text))
    choices = [(_title(number, turn, session.lang), number) for number, turn in kept]
    turn = gr.Dropdown(choices=choices, value=kept[0][0], visible=len(kept) > 1)
    return (turn, *_shown(session, kept[0][0], View(*view)))


def pick_turn(session: Session, number: int | None, *view) -> tuple:
    """Show another kept answer. Returns build.attention_view without the dropdown of answers."""
    if _turn(session, number) is None:
        return _nothing(say(session.lang, "attention_no_map"))
    return _shown(session, number, View(*view))


def choose(session: Session, number: int | None, *view) -> tuple:
    """The visitor picked a layer or head, which the next answers keep. Returns build.map_view."""
    session.chose_head = True
    return draw(session, number, *view)


def open_cell(session: Session, event: gr.EventData, number: int | None, *view) -> tuple:
    """A cell of the overview was picked: show its layer and head. Returns build.map_view."""
    data = event._data if isinstance(event._data, dict) else {}
    return choose(session, number, *View(*view)._replace(layer=str(data.get("layer")), head=str(data.get("head"))))


def draw(session: Session, number: int | None, *view) -> tuple:
    """(layer, head, plot, note, overview) of answer `number` for this view; "all" is the mean."""
    turn, lang = _turn(session, number), session.lang
    if turn is None:
        return gr.skip(), gr.skip(), None, _note(say(lang, "attention_no_map")), {}
    asked, trace = View(*view), turn.answer.trace
    layers = layer_choices(trace, lang)
    layer = _known(asked.layer, layers)
    heads = head_choices(turn, layer, lang)
    head = _known(asked.head, heads)
    heatmap = trace.heatmap(
        rows="question" if asked.rows == "question" else "answer",
        layer=None if layer == "all" else int(layer),
        head=None if head == "all" else int(head),
        top_k=int(asked.top_k),
        scale=asked.scale if asked.scale in SCALES else "raw",
    )
    heatmap = replace(heatmap, title=map_title(asked.rows, layer, head, heatmap.scale, lang))
    figure = heatmap_figure(heatmap, turn.facts, rows=asked.rows, fixed=asked.same, lang=lang)
    return (
        gr.Dropdown(choices=layers, value=layer),
        gr.Dropdown(choices=heads, value=head),
        figure,
        _under(heatmap, lang),
        overview_value(turn, layer, head, lang),
    )


def _shown(session: Session, number: int, view: View) -> tuple:
    turn = _turn(session, number)
    if not session.chose_head:
        layer, head = strongest(turn)
        view = view._replace(layer=layer, head=head)
    value = explorer_value(number, turn, session.lang)
    told = _note(example_note(session.lang, "example_attention")) if turn.recorded else ""
    return (told, value, *_no_comparison(), gr.Column(visible=True), *draw(session, number, *view))


def _nothing(text: str) -> tuple:
    return (_note(text), {}, *_no_comparison(), gr.Column(visible=False), gr.skip(), gr.skip(), None, "", {})


def _no_comparison() -> tuple:
    return "", gr.Accordion(visible=False), None


def _under(heatmap: Heatmap, lang: str) -> str:
    """What stands under the map: the table's share, and what attention does not say."""
    told = say(lang, "map_note", mass="{mass}", scale=say(lang, f"scale_{heatmap.scale}_long"))
    text = literal(told).replace(literal("{mass}"), f"<b>{percent(mean_mass(heatmap))}</b>")
    link = f'<a href="{CAVEAT}" target="_blank" rel="noopener">{literal(say(lang, "caveat_link"))}</a>'
    caveat = f"{literal(say(lang, 'caveat'))} ({link}); {literal(say(lang, 'caveat_test'))}"
    return f'<p class="kb-note">{text}</p><p class="kb-note">{caveat}</p>'


def _turn(session: Session, number: int | None) -> Turn | None:
    # An example stays drawn while the visitor's first answer is on its way.
    return next((turn for kept, turn in [*session.traced(), *session.recorded()] if kept == number), None)


def _note(text: str) -> str:
    return f'<p class="kb-note">{literal(text)}</p>'


def _title(number: int, turn: Turn, lang: str) -> str:
    question = " ".join(turn.question.split())
    question = question if len(question) <= 60 else question[:59] + "…"
    return say(lang, "example_answer", question=question) if turn.recorded else f"{number}. {question}"


def _known(value: object, choices: list[tuple[str, str]]) -> str:
    return str(value) if str(value) in {key for _, key in choices} else "all"
