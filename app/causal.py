"""The causal check: one fact left out of a copy of the table, or given another value, and what the answer makes of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.problems import Said, in_words
from app.render import fact_list, is_low, literal, percent
from app.session import Turn
from app.texts import say
from kblam_core import Answer, Triple, clean_rows

SHOWN = 3
BADGES = {"refused": ("refused", "refused"), "empty_table": ("empty", "empty_table"), "low": ("low", "low_badge")}  # state -> class, text


@dataclass(frozen=True)
class Change:
    """A question asked again. row: the fact's place in turn.facts; value: what it holds instead, None when it is left out."""

    turn: Turn
    row: int
    value: str | None = None

    @property
    def fact(self) -> Triple:
        return self.turn.facts[self.row]

    def facts(self) -> list[Triple]:
        """A changed copy of the table as it was when asked."""
        before, after = self.turn.facts[: self.row], self.turn.facts[self.row + 1 :]
        return [*before, *([] if self.value is None else [Triple(self.fact.entity, self.fact.property, self.value)]), *after]


def make_change(turn: Turn, row: int, value: str | None, lang: str) -> Change:
    """The change for a visitor's wish. Raises InputError for a fact that is not there or a value that no cell may hold."""
    if turn.answer is None or not 0 <= row < len(turn.facts):
        raise Said(say(lang, "attention_no_map"))
    if value is None:
        return Change(turn, row)
    if not value.strip():
        raise Said(say(lang, "no_value"))
    fact = turn.facts[row]
    table = clean_rows([(fact.entity, fact.property, value)])
    if not table.triples:
        raise Said(in_words(lang, table.problems[0].message))
    if table.triples[0].value == fact.value:
        raise Said(say(lang, "same_value"))
    return Change(turn, row, table.triples[0].value)


def verdict(change: Change, after: Answer) -> str:
    """Key of the sentence that says what the second answer shows."""
    before = change.turn.answer
    if plain(after.text) == plain(before.text):
        return "verdict_same"
    if change.value is not None:
        return "verdict_follows" if spans(after.text, change.value) else "verdict_changed"
    return "verdict_changed" if after.state == "answered" else "verdict_gone"


def comparison(change: Change, after: Answer, lang: str) -> str:
    """Both answers side by side as HTML, with what the pair shows in a sentence."""
    key = verdict(change, after)
    told = f'<p class="kb-verdict kb-{key}" role="status">{literal(say(lang, key))}</p>'
    return _pair(change, told, answer_card(after, _title(change, lang), change.value or change.fact.value, lang), lang)


def waiting(change: Change, lang: str) -> str:
    """The pair while the question is asked again: the room is taken at once, so that nothing below moves when the answer comes."""
    told = f'<p class="kb-verdict" role="status">{literal(say(lang, "asking_again"))}</p>'
    card = f'<div class="kb-turn kb-card" aria-busy="true"><p class="kb-label">{literal(_title(change, lang))}</p></div>'
    return _pair(change, told, card, lang)


def _title(change: Change, lang: str) -> str:
    told = f"{change.fact.entity} · {change.fact.property}"
    return say(lang, "without_fact", fact=told) if change.value is None else say(lang, "with_value", fact=told, value=change.value)


def _pair(change: Change, told: str, right: str, lang: str) -> str:
    left = answer_card(change.turn.answer, say(lang, "with_table"), change.fact.value, lang)
    foot = f'<p class="kb-note">{literal(say(lang, "table_unchanged"))}</p>'
    asked = f'<p class="kb-asked">{literal(change.turn.question)}</p>'
    return f'<div class="kb-compare">{asked}{told}<div class="kb-pair">{left}{right}</div>{foot}</div>'


def spans(text: str, value: str) -> list[tuple[int, int]]:
    """Where `value` stands in `text`, case and spacing aside."""
    words = [re.escape(word) for word in value.split()]
    return [match.span() for match in re.finditer(r"\s+".join(words), text, re.IGNORECASE)] if words else []


def answer_card(answer: Answer, title: str, value: str, lang: str) -> str:
    """One answer with its facts; `value` is marked wherever the answer holds it."""
    used = answer.sources[:SHOWN]
    near = used or answer.nearest[:SHOWN]
    label = "nearest_facts" if not used else "fact_used" if len(used) == 1 else "facts_used"
    facts = f'<p class="kb-label">{literal(say(lang, label))}</p>{fact_list(near, lang, shares=bool(used))}' if near else ""
    badge = ""
    if (kind := BADGES.get("low" if is_low(answer) else answer.state)) is not None:
        badge = f'<p class="kb-badge kb-badge-{kind[0]}">{literal(say(lang, kind[1]))}</p>'
    mass = say(lang, "mass", mass=percent(answer.kb_mass))
    return (
        f'<div class="kb-turn kb-card"><p class="kb-label">{literal(title)}</p>{badge}<p class="kb-text">{_marked(answer.text, value)}</p>'
        f'{facts}<p class="kb-meta">{mass}</p></div>'
    )


def _marked(text: str, value: str) -> str:
    parts, start = [], 0
    for first, last in spans(text, value):
        parts += [literal(text[start:first]), f"<mark>{literal(text[first:last])}</mark>"]
        start = last
    return "".join([*parts, literal(text[start:])])


def plain(text: str) -> str:
    """A text without its case and spacing, to tell whether two say the same."""
    return " ".join(text.casefold().split())
