"""The attention tab: picks an answer's kept trace, reduces it, draws it. No call of the model happens here."""

from __future__ import annotations

import gradio as gr

from app.explorer import explorer_value
from app.figures import heatmap_figure, mean_mass
from app.render import literal, percent
from app.session import Session, Turn
from app.texts import say
from kblam_core import Heatmap, Trace

CAVEAT = "https://arxiv.org/abs/1902.10186"


def latest(session: Session, rows: str, layer: str, head: str, top_k: float) -> tuple:
    """Show the newest answer. Returns the components of build.attention_view."""
    kept = session.traced()
    if not kept:
        text = say(session.lang, "attention_no_map" if session.turns else "attention_none")
        hidden = gr.Column(visible=False)
        return (_note(text), gr.Dropdown(visible=False), {}, *_no_comparison(), hidden, gr.skip(), gr.skip(), None, "")
    choices = [(_title(number, turn), number) for number, turn in kept]
    turn = gr.Dropdown(choices=choices, value=kept[0][0], visible=len(kept) > 1)
    return ("", turn, *_shown(session, kept[0][0], rows, layer, head, top_k))


def pick_turn(session: Session, number: int | None, rows: str, layer: str, head: str, top_k: float) -> tuple:
    """Show another kept answer. Returns build.attention_view without the dropdown of answers."""
    if _turn(session, number) is None:
        return (
            _note(say(session.lang, "attention_no_map")),
            {},
            *_no_comparison(),
            gr.Column(visible=False),
            gr.skip(),
            gr.skip(),
            None,
            "",
        )
    return ("", *_shown(session, number, rows, layer, head, top_k))


def draw(session: Session, number: int | None, rows: str, layer: str, head: str, top_k: float) -> tuple:
    """(plot, note) of answer `number` for this choice of words, layer and head; "all" is the mean."""
    turn = _turn(session, number)
    if turn is None:
        return None, _note(say(session.lang, "attention_no_map"))
    trace, lang = turn.answer.trace, session.lang
    heatmap = trace.heatmap(
        rows="question" if rows == "question" else "answer",
        layer=_number(layer, trace.layers),
        head=_number(head, range(trace.heads)),
        top_k=int(top_k),
    )
    return heatmap_figure(heatmap, turn.facts, rows=rows, lang=lang), _under(heatmap, lang)


def layer_choices(trace: Trace, lang: str) -> list[tuple[str, str]]:
    """Only layers with a KB branch, and the mean of all."""
    return [(say(lang, "all_layers"), "all")] + [(str(layer), str(layer)) for layer in trace.layers]


def head_choices(trace: Trace, lang: str) -> list[tuple[str, str]]:
    return [(say(lang, "all_heads"), "all")] + [(str(head), str(head)) for head in range(trace.heads)]


def _shown(session: Session, number: int, rows: str, layer: str, head: str, top_k: float) -> tuple:
    turn = _turn(session, number)
    trace = turn.answer.trace
    layers, heads = layer_choices(trace, session.lang), head_choices(trace, session.lang)
    layer, head = _known(layer, layers), _known(head, heads)
    return (
        explorer_value(number, turn, session.lang),
        *_no_comparison(),
        gr.Column(visible=True),
        gr.Dropdown(choices=layers, value=layer),
        gr.Dropdown(choices=heads, value=head),
        *draw(session, number, rows, layer, head, top_k),
    )


def _no_comparison() -> tuple:
    return "", gr.Accordion(visible=False), None


def _under(heatmap: Heatmap, lang: str) -> str:
    """What stands under the map: the table's share, and what attention does not say."""
    text = literal(say(lang, "map_note", mass="{mass}")).replace(literal("{mass}"), f"<b>{percent(mean_mass(heatmap))}</b>")
    link = f'<a href="{CAVEAT}" target="_blank" rel="noopener">{literal(say(lang, "caveat_link"))}</a>'
    caveat = f"{literal(say(lang, 'caveat'))} ({link}); {literal(say(lang, 'caveat_test'))}"
    return f'<p class="kb-note">{text}</p><p class="kb-note">{caveat}</p>'


def _turn(session: Session, number: int | None) -> Turn | None:
    return next((turn for kept, turn in session.traced() if kept == number), None)


def _note(text: str) -> str:
    return f'<p class="kb-note">{literal(text)}</p>'


def _title(number: int, turn: Turn) -> str:
    question = " ".join(turn.question.split())
    return f"{number}. {question if len(question) <= 60 else question[:59] + '…'}"


def _known(value: object, choices: list[tuple[str, str]]) -> str:
    return str(value) if str(value) in {key for _, key in choices} else "all"


def _number(value: object, allowed) -> int | None:
    return next((number for number in allowed if str(number) == str(value)), None)
