"""Showing two answers of the chat side by side. No call of the model happens here."""

from __future__ import annotations

import gradio as gr

from app.figures import difference_figure
from app.pair import pair_html, suggested
from app.render import literal, turn_title
from app.session import Session
from app.texts import say


def latest(session: Session) -> tuple:
    """Offer the answers there are. Returns (hint, choices' row, first, second, result, difference map)."""
    pair = suggested(session)
    if pair is None:
        hint = f'<p class="kb-note">{literal(say(session.lang, "pair_hint"))}</p>'
        return hint, gr.Row(visible=False), gr.skip(), gr.skip(), "", gr.Plot(visible=False)
    choices = [(turn_title(number, turn), number) for number, turn in session.answered()]
    first, second = (gr.Dropdown(choices=choices, value=number) for number in pair)
    return "", gr.Row(visible=True), first, second, *show(session, *pair)


def show(session: Session, first: int | None, second: int | None) -> tuple:
    """(result, difference map) for two answers by number; an edit is told from the first to the second."""
    known, lang = dict(session.answered()), session.lang
    if first not in known or second not in known or first == second:
        return f'<p class="kb-note" role="status">{literal(say(lang, "pair_itself"))}</p>', gr.Plot(visible=False)
    before, after = known[first], known[second]
    old, new = before.answer.trace, after.answer.trace
    figure = difference_figure(old, before.facts, new, after.facts, lang=lang)
    note = "" if figure else say(lang, "pair_other_words" if old and new else "pair_not_kept")
    return pair_html((first, before), (second, after), note, lang), gr.Plot(figure, visible=True) if figure else gr.Plot(visible=False)
