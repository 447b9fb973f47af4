"""What stands in a chat bubble: the answer, its state, the facts used. All typed text is escaped here and nowhere else."""

from __future__ import annotations

import time
from collections.abc import Sequence

from app.session import Session, Turn
from app.texts import plural, say
from kblam_core import Answer, Sending, Source

SHOWN_FACTS = 3  # named under the answer; weaker ones fold away
LEAST_SHARE = 0.05
LOW_MASS = 0.02  # of all attention; below, an answer counts as hardly grounded
TITLE_QUESTION = 60  # characters


def literal(text: str) -> str:
    """`text` as HTML that shows it character for character: no tag, no Markdown, no template survives.

    Letters, digits, spaces and harmless marks stay; every other ASCII sign becomes a character reference, which neither
    the Markdown renderer nor a template reads as markup.
    """
    parts = []
    for sign in text:
        if sign == "\n":
            parts.append("<br>")
        elif sign.isalnum() or sign in " ,;" or ord(sign) > 127:
            parts.append(sign)
        elif sign.isprintable():
            parts.append(f"&#{ord(sign)};")
        else:
            parts.append(" ")
    return "".join(parts)


def percent(share: float) -> str:
    share = min(max(share, 0.0), 1.0)
    return "&lt;1&#37;" if 0 < share < 0.01 else f"{share:.0%}".replace("%", "&#37;")


def duration(milliseconds: float, lang: str) -> str:
    if milliseconds < 1000:
        return say(lang, "ms", count=f"{milliseconds:.0f}")
    return say(lang, "seconds", count=f"{milliseconds / 1000:.1f}")


def turn_title(number: int, turn: Turn) -> str:
    """An answer as an entry of a list to choose from: its number and the start of its question."""
    question = " ".join(turn.question.split())
    return f"{number}. {question if len(question) <= TITLE_QUESTION else question[: TITLE_QUESTION - 1] + '…'}"


def messages(session: Session) -> list[dict[str, str]]:
    """The chat as gradio messages: a question and an answer per turn."""
    shown = []
    for turn in session.turns:
        shown.append({"role": "user", "content": literal(turn.question)})
        shown.append({"role": "assistant", "content": bubble(turn, session.lang)})
    return shown


def example(turns: Sequence[Turn], title: str, lang: str) -> str:
    """Recorded turns as a visitor sees them before the first question, named as such."""
    if not turns:
        return ""
    parts = [f'<p class="kb-example-title">{literal(title)}</p>']
    for turn in turns:
        _, body = _content(turn, lang)
        parts.append(f'<div class="kb-example-asked">{literal(turn.question)}</div>{_block("recorded", body)}')
    return f'<div class="kb-example">{"".join(parts)}</div>'


def bubble(turn: Turn, lang: str) -> str:
    """The answer of one turn as HTML."""
    kind, body = _content(turn, lang)
    return _block(kind, body) if kind else body


def _content(turn: Turn, lang: str) -> tuple[str, str]:
    """(kind of block, "" for none; what stands in it)."""
    if turn.state in ("waiting", "loading"):
        took = int(time.monotonic() - turn.started)
        return "", _note(say(lang, turn.state, seconds=took) if turn.state == "loading" else say(lang, "waiting"))
    if turn.state == "streaming":
        return "streaming", _text(turn.text) if turn.text else _note(_thinking(turn, lang))
    if turn.state == "stopped":
        body = _text(turn.text) if turn.text else ""
        return "stopped", _badge("stopped", say(lang, "stopped")) + (body or _note(say(lang, "stopped_text")))
    if turn.state == "error":
        hint = _note(say(lang, "error_hint"))
        return "error", _badge("error", say(lang, "error")) + _text(turn.text) + hint
    if turn.state == "empty_table":
        hint = _note(say(lang, "empty_table_hint"))
        return "empty", _badge("empty", say(lang, "empty_table")) + _text(turn.text) + hint
    if turn.state == "refused":
        near = turn.answer.nearest[:SHOWN_FACTS] if turn.answer else []
        hint = _note(say(lang, "refused_hint")) + fact_list(near, lang, shares=False) if near else ""
        return "refused", _badge("refused", say(lang, "refused")) + _text(turn.text) + hint + _meta(turn, lang)
    if turn.state == "small_talk":
        return "answered", _text(turn.text)
    return ("low" if is_low(turn.answer) else "answered"), _answered(turn, lang)


def is_low(answer: Answer) -> bool:
    """Answered although hardly any attention went to the table: a state of its own for whoever reads the answer."""
    return answer.state == "answered" and answer.kb_mass < LOW_MASS


def fact_list(sources: Sequence[Source], lang: str, *, shares: bool = True) -> str:
    """Facts as a list, with a bar for each one's share."""
    return f'<ul class="kb-facts">{"".join(_fact(source, lang, shares) for source in sources)}</ul>'


def _answered(turn: Turn, lang: str) -> str:
    answer = turn.answer
    if is_low(answer):
        return _low(turn, lang)
    strong = [source for source in answer.sources if source.weight >= LEAST_SHARE][:SHOWN_FACTS]
    strong = strong or answer.sources[:1]
    weak = answer.sources[len(strong) : len(strong) + 5]
    parts = [_text(turn.text)]
    if not strong:
        parts.append(f'<p class="kb-warn">{literal(say(lang, "no_source"))}</p>')
    else:
        title = say(lang, "fact_used" if len(strong) == 1 else "facts_used")
        parts.append(f'<p class="kb-label">{literal(title)}</p>' + fact_list(strong, lang))
    if weak:
        more = fact_list(weak, lang)
        parts.append(f"<details><summary>{literal(say(lang, 'more_facts'))}</summary>{more}</details>")
    return "".join(parts) + _meta(turn, lang)


def _low(turn: Turn, lang: str) -> str:
    """The answer under a badge, then why it is doubtful, the nearest facts and what to do."""
    near = (turn.answer.sources or turn.answer.nearest)[:SHOWN_FACTS]
    parts = [_badge("low", say(lang, "low_badge")), _text(turn.text), f'<p class="kb-warn">{literal(say(lang, "low_share"))}</p>']
    if near:
        parts.append(f'<p class="kb-label">{literal(say(lang, "nearest_facts"))}</p>' + fact_list(near, lang, shares=False))
    return "".join([*parts, _note(say(lang, "low_hint")), _meta(turn, lang)])


def _fact(source: Source, lang: str, shares: bool) -> str:
    share = ""
    if shares:
        width = round(100 * min(max(source.weight, 0), 1))
        hint = literal(say(lang, "share_hint"))
        share = (
            f'<span class="kb-share" title="{hint}"><span class="kb-bar"><span class="kb-fill" '
            f'style="width: {width}%"></span></span><b>{percent(source.weight)}</b></span>'
        )
    words = (
        f'<span class="kb-entity">{literal(source.entity)}</span> <span class="kb-property">'
        f'{literal(source.property)}</span> <span class="kb-value">{literal(source.value)}</span>'
    )
    return f'<li class="kb-fact"><span class="kb-words">{words}</span>{share}</li>'


def _meta(turn: Turn, lang: str) -> str:
    if turn.recorded:  # its times are another machine's
        return f'<p class="kb-meta">{say(lang, "mass", mass=percent(turn.answer.kb_mass))}</p>'
    timing = turn.answer.timing
    tokens = plural(lang, "token", timing.tokens)
    text = say(lang, "meta", mass=percent(turn.answer.kb_mass), first=duration(timing.ttft_ms, lang), tokens=tokens)
    return f'<p class="kb-meta">{text}</p>'


def _thinking(turn: Turn, lang: str) -> str:
    if turn.encoding is None:
        return say(lang, "thinking")
    done, total, sending = turn.encoding.done, turn.encoding.total, turn.encoding.sending
    text = say(lang, "encoding", done=f"{done:,}", total=f"{total:,}")
    return f"{sent(sending, lang)} {text}" if sending else text


def sent(sending: Sending, lang: str) -> str:
    """What leaves this machine, to whom and for how much, in words."""
    price = say(lang, "price_unknown") if sending.dollars is None else say(lang, "price", dollars=f"{sending.dollars:.4f}")
    about = {"texts": f"{sending.texts:,}", "tokens": f"{sending.tokens:,}", "model": sending.model, "service": sending.service}
    return say(lang, "sending", price=price, **about)


def _text(text: str) -> str:
    return f'<p class="kb-text">{literal(text.strip())}</p>'


def _note(text: str) -> str:
    return f'<p class="kb-note">{literal(text)}</p>'


def _badge(kind: str, text: str) -> str:
    return f'<p class="kb-badge kb-badge-{kind}">{literal(text)}</p>'


def _block(kind: str, body: str) -> str:
    return f'<div class="kb-turn kb-{kind}">{body}</div>'
