"""How it works, told with the numbers of one answer: from a fact to its vectors, keys, attention and the answer. No gradio here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from app.causal import spans
from app.overview import contributions, strongest
from app.render import literal, percent
from app.session import Session, Turn
from app.texts import say
from kblam_core import Answer, ModelShape, Source

SHOWN_PRIORS = 3
SHOWN_NUMBERS = 4  # of a vector, written out
SHOWN_TEXT = 200  # characters of a long value
STRIP_HEIGHT = 40
NUMBER = "<code>{}</code>"


def observe(turn: Turn, answer: Answer, kb: Any, shape: ModelShape) -> None:
    """Note in the turn what the guide will tell of it: the model's sizes and the fact's two sentence vectors.

    kb: the knowledge base that answered; None where it stays in another process (ZeroGPU), and the vectors are not shown.
    """
    fact = told(answer)
    turn.shape = shape
    if kb is not None and fact is not None:
        turn.vectors = np.stack([kb.key_vectors[fact.index], kb.value_vectors[fact.index]])


def told(answer: Answer) -> Source | None:
    """The fact that the guide follows: the one most used, after a refusal the nearest."""
    return next(iter([*answer.sources, *answer.nearest]), None)


def latest(session: Session) -> str:
    """The guide for the newest answer with attention, before the first one for a recorded example; "" when there is neither."""
    turn = next((turn for _, turn in session.traced() if turn.shape and told(turn.answer)), None)
    return guide_html(turn, session.lang) if turn else ""


def guide_html(turn: Turn, lang: str) -> str:
    """Six short steps as HTML; everything typed is escaped."""
    note = say(lang, "guide_recorded" if turn.recorded else "guide_yours")
    head = f'<p class="kb-note">{literal(note)}</p><p class="kb-asked">{literal(turn.question)}</p>'
    steps = (_vectors, _keys, _prior, _attention, _answer, _edit)
    items = "".join(
        f"<li><h2>{literal(say(lang, f'guide_{step.__name__[1:]}'))}</h2>{step(turn, turn.shape, told(turn.answer), lang)}</li>"
        for step in steps
    )
    return f'<div class="kb-guide">{head}<ol>{items}</ol></div>'


def _vectors(turn: Turn, shape: ModelShape, fact: Source, lang: str) -> str:
    triple = turn.facts[fact.index]
    text = _fill(
        lang,
        "guide_vectors_text",
        key=_quoted(triple.key_text),
        value=_quoted(triple.value),
        encoder=literal(shape.encoder),
        width=_number(shape.encoder_width, lang),
        facts=_number(len(turn.facts), lang),
    )
    strips = ""
    if turn.vectors is not None:
        names = (say(lang, "guide_key_vector"), say(lang, "guide_value_vector"))
        strips = "".join(_strip(name, vector, lang) for name, vector in zip(names, turn.vectors, strict=True))
    return f"<p>{text}</p>{strips}"


def _keys(turn: Turn, shape: ModelShape, fact: Source, lang: str) -> str:
    sizes = (len(shape.layers), shape.heads, len(turn.facts), shape.head_width)
    return "<p>{}</p>".format(
        _fill(
            lang,
            "guide_keys_text",
            width=_number(shape.encoder_width, lang),
            head_width=_number(shape.head_width, lang),
            heads=_number(shape.heads, lang),
            count=_number(len(shape.layers), lang),
            depth=_number(shape.depth, lang),
            layers=NUMBER.format(", ".join(map(str, shape.layers))),
            shape=NUMBER.format(" × ".join(map(str, sizes))),
            backbone=literal(shape.backbone),
        )
    )


def _prior(turn: Turn, shape: ModelShape, fact: Source, lang: str) -> str:
    options, trace, count = turn.options, turn.answer.trace, len(turn.facts)
    limited = options.shortlist and count > options.top_k
    text = _fill(
        lang, "guide_shortlist" if limited else "guide_no_shortlist", facts=_number(count, lang), top_k=_number(options.top_k, lang)
    )
    if trace.prior is None:
        return f"<p>{literal(say(lang, 'guide_no_prior'))} {text}</p>"
    order = np.argsort(-np.array(trace.prior), kind="stable")[:SHOWN_PRIORS]
    rows = [(_name(turn, trace.facts[place]), trace.prior[place]) for place in order]
    sure = _fill(lang, "guide_prior_sure", confidence=_share(turn.answer.confidence), threshold=_share(options.threshold))
    return f"<p>{literal(say(lang, 'guide_prior_text'))}</p>{_bars(rows)}<p>{sure} {text}</p>"


def _attention(turn: Turn, shape: ModelShape, fact: Source, lang: str) -> str:
    trace = turn.answer.trace
    first = len(trace.question_tokens)
    rows = trace.shares()[first:] if trace.answer_tokens else trace.shares()  # (T, F + 2)
    mean = rows.mean(0)
    place = trace.facts.index(fact.index) if fact.index in trace.facts else None
    mine = float(mean[place]) if place is not None else 0.0
    text = _fill(lang, "guide_attention_text", mass=_share(1 - float(mean[-1])), rest=_share(float(mean[-1])))
    bars = _bars(
        [
            (_name(turn, fact.index), mine),
            (literal(say(lang, "others")), max(0.0, 1 - float(mean[-1]) - mine)),
            (literal(say(lang, "the_text")), float(mean[-1])),
        ]
    )
    best = ""
    if turn.answer.sources and place is not None and trace.answer_tokens:
        layer, head = strongest(turn)
        token = int(rows[:, place].argmax())
        best = _fill(
            lang,
            "guide_strongest",
            head=NUMBER.format(head),
            layer=NUMBER.format(layer),
            share=_share(float(contributions(turn).max())),
            token=_quoted(trace.answer_tokens[token].strip() or "␣"),
            token_share=_share(float(rows[token, place])),
        )
    return f"<p>{text}</p>{bars}<p>{best}</p>" if best else f"<p>{text}</p>{bars}"


def _answer(turn: Turn, shape: ModelShape, fact: Source, lang: str) -> str:
    answer, options = turn.answer, turn.options
    said = _fill(lang, "guide_answer_text", text=_quoted(answer.text), tokens=_number(answer.timing.tokens, lang))
    if answer.refused:
        said += " " + literal(say(lang, "guide_refused"))
    elif options.copy and answer.sources and spans(answer.text, turn.facts[fact.index].value):
        said += " " + _fill(lang, "guide_copied", value=_quoted(turn.facts[fact.index].value))
    return f"<p>{said}</p>"


def _edit(turn: Turn, shape: ModelShape, fact: Source, lang: str) -> str:
    return f"<p>{_fill(lang, 'guide_edit_text', others=_number(len(turn.facts) - 1, lang))}</p>"


def _fill(lang: str, text_key: str, /, **parts: str) -> str:
    """The text `text_key` escaped, then filled in with parts that are HTML already."""
    pieces = re.split(r"\{(\w+)\}", say(lang, text_key))  # text, name, text, ...; in one pass, so that a part's own braces stay as typed
    return "".join(parts[piece] if place % 2 else literal(piece) for place, piece in enumerate(pieces))


def _bars(rows: Sequence[tuple[str, float]]) -> str:
    lines = "".join(
        f'<li><span class="kb-words">{name}</span><span class="kb-line"><span class="kb-line-fill" style="width: '
        f'{100 * min(max(share, 0), 1):.1f}%"></span></span><b class="kb-number">{percent(share)}</b></li>'
        for name, share in rows
    )
    return f'<ul class="kb-guide-bars">{lines}</ul>'


def _strip(name: str, vector: np.ndarray, lang: str) -> str:
    """A sentence vector as a row of thin bars, up and down from a middle line, with its first numbers."""
    middle = STRIP_HEIGHT / 2
    heights = np.asarray(vector, dtype=np.float32) / max(float(np.abs(vector).max()), 1e-9) * middle
    path = "".join(f"M{place + 0.5} {middle:g}v{-height:.1f}" for place, height in enumerate(heights))
    numbers = "; ".join(f"{number:+.3f}" for number in vector[:SHOWN_NUMBERS])
    label = _fill(lang, "guide_numbers", name=literal(name), count=_number(len(vector), lang), numbers=NUMBER.format(literal(numbers)))
    return (
        f'<figure class="kb-strip"><figcaption>{label}</figcaption><svg viewBox="0 0 {len(vector)} {STRIP_HEIGHT}" '
        f'preserveAspectRatio="none" aria-hidden="true"><path d="{path}"/></svg></figure>'
    )


def _name(turn: Turn, index: int) -> str:
    triple = turn.facts[index]
    return f'<span class="kb-entity">{literal(triple.entity)}</span> {literal(triple.property)}'


def _quoted(text: str) -> str:
    return f"<q>{literal(text if len(text) <= SHOWN_TEXT else text[: SHOWN_TEXT - 1] + '…')}</q>"


def _share(share: float) -> str:
    return f"<b>{percent(share)}</b>"


def _number(number: int, lang: str) -> str:
    return f"<b>{number:,}</b>".replace(",", "\u202f" if lang == "ru" else ",")
