"""Two answers of the chat side by side: the same question before and after an edit of the table, or two questions. No gradio here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.causal import answer_card, plain, spans
from app.render import literal, turn_title
from app.session import Session, Turn
from app.texts import say
from kblam_core import Triple

SHOWN_EDITS = 5


@dataclass(frozen=True)
class Edit:
    """What became of one fact between two answers. before: None for a fact that was added; after: None for one that was removed."""

    fact: str
    before: str | None
    after: str | None

    @property
    def kind(self) -> str:
        return "pair_added" if self.before is None else "pair_removed" if self.after is None else "pair_changed"


def table_edits(before: Sequence[Triple], after: Sequence[Triple]) -> list[Edit]:
    """How the second table differs from the first; facts are matched by entity and property, changed ones come first."""
    old, new = ({(fact.entity, fact.property): fact.value for fact in facts} for facts in (before, after))
    keys = [key for key in new if old.get(key) != new[key]] + [key for key in old if key not in new]
    edits = [Edit(" · ".join(key), old.get(key), new.get(key)) for key in keys]
    return sorted(edits, key=lambda edit: edit.kind != "pair_changed")


def suggested(session: Session) -> tuple[int, int] | None:
    """Numbers of the two answers to begin with: the newest, and before it the last one to the same question or else the last one."""
    known = session.answered()
    if len(known) < 2:
        return None
    (newest, turn), *earlier = known
    same = (number for number, other in earlier if plain(other.question) == plain(turn.question))
    return next(same, earlier[0][0]), newest


def verdict(first: Turn, second: Turn, edits: Sequence[Edit]) -> str | None:
    """Key of the sentence that says what the two show; None for two different questions."""
    if plain(first.question) != plain(second.question):
        return None
    before, after = first.answer.text, second.answer.text
    if plain(before) == plain(after):
        return "pair_same_edited" if edits else "pair_same"
    if not edits:
        return "pair_differs"
    followed = (edit.after is not None and spans(after, edit.after) and not spans(before, edit.after) for edit in edits)
    return "pair_follows" if any(followed) else "pair_differs_edited"


def pair_html(first: tuple[int, Turn], second: tuple[int, Turn], note: str, lang: str) -> str:
    """Both answers with what was edited between them. note: why there is no difference map, "" where there is one."""
    (_, before), (_, after) = first, second
    edits = table_edits(before.facts, after.facts)
    key = verdict(before, after, edits)
    told = f'<p class="kb-verdict" role="status">{literal(say(lang, key))}</p>' if key else ""
    other = _settings(before, lang) != _settings(after, lang)
    cards = "".join(_card(number, turn, other, lang) for number, turn in (first, second))
    foot = f'<p class="kb-note">{literal(note)}</p>' if note else ""
    return f'<div class="kb-compare">{told}{_edits(edits, lang)}<div class="kb-pair">{cards}</div>{foot}</div>'


def _card(number: int, turn: Turn, settings: bool, lang: str) -> str:
    title = turn_title(number, turn) + (f" ({_settings(turn, lang)})" if settings else "")
    cited = turn.answer.sources
    return answer_card(turn.answer, title, cited[0].value if cited else "", lang)


def _settings(turn: Turn, lang: str) -> str:
    return f"{turn.model} · {say(lang, f'mode_{turn.options.mode}')} · {turn.options.threshold:.2f}"


def _edits(edits: Sequence[Edit], lang: str) -> str:
    if not edits:
        return f'<p class="kb-note">{literal(say(lang, "pair_unedited"))}</p>'
    lines = [say(lang, edit.kind, fact=edit.fact, before=edit.before, after=edit.after) for edit in edits[:SHOWN_EDITS]]
    if len(edits) > SHOWN_EDITS:
        lines.append(say(lang, "problems_more", count=len(edits) - SHOWN_EDITS))
    items = "".join(f"<li>{literal(line)}</li>" for line in lines)
    return f'<div class="kb-edits"><p class="kb-label">{literal(say(lang, "pair_edits"))}</p><ul>{items}</ul></div>'
