"""One question answered in five ways, side by side: what came of each way, and how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.render import duration, fact_list, literal
from app.texts import say
from kblam_core import Answer, Reply, Source, is_correct

SYSTEMS = ("kblam", "paper", "rag", "in-context", "zero-shot")


@dataclass(frozen=True)
class Outcome:
    """What one system said. problem: a key of texts, with `text` empty, when it could not be asked."""

    system: str
    text: str = ""
    refused: bool = False
    ttft_ms: float = 0.0
    total_ms: float = 0.0
    sources: Sequence[Source] = ()
    problem: str = ""

    @classmethod
    def of_answer(cls, system: str, answer: Answer) -> Outcome:
        timing = answer.timing
        return cls(system, answer.text, answer.refused, timing.ttft_ms, timing.total_ms, tuple(answer.sources))

    @classmethod
    def of_reply(cls, system: str, reply: Reply) -> Outcome:
        return cls(system, reply.text, reply.refused, reply.ttft_ms, reply.total_ms)


@dataclass
class Comparison:
    """The outcomes so far. state: "loading" | "running" | "done" | "stopped" | "error" with the reason in `problem`."""

    question: str
    state: str = "loading"
    problem: str = ""
    outcomes: list[Outcome] = field(default_factory=list)

    def value(self) -> str | None:
        """The value of the fact that KBLaM cites first; None when it cites none."""
        sources = next((outcome.sources for outcome in self.outcomes if outcome.system == "kblam"), ())
        return sources[0].value if sources else None

    def holds(self, outcome: Outcome) -> bool | None:
        """Whether an answer holds that value; None when there is none to look for."""
        value = self.value()
        return None if value is None or outcome.problem else is_correct(outcome.text, value, refused=outcome.refused)


def comparison_html(comparison: Comparison, lang: str) -> str:
    """The question and a card for each system; those still to come say so."""
    done = {outcome.system: outcome for outcome in comparison.outcomes}
    running = comparison.state in ("loading", "running")
    following = next((system for system in SYSTEMS if system not in done), None)
    cards = []
    for system in SYSTEMS:
        if system in done:
            cards.append(_card(comparison, done[system], lang))
        elif running:
            waits = "compare_next" if system != following else "compare_now" if comparison.state == "running" else "waiting"
            cards.append(_frame(system, f'<p class="kb-note">{literal(say(lang, waits))}</p>', lang, busy=True))
    head = f'<p class="kb-asked">{literal(comparison.question)}</p>'
    if comparison.problem:
        head += f'<p class="kb-warn" role="alert">{literal(comparison.problem)}</p>'
    if done and comparison.value() is None:
        head += f'<p class="kb-note">{literal(say(lang, "compare_no_value"))}</p>'
    return f'<div class="kb-turn">{head}<div class="kb-cards">{"".join(cards)}</div></div>'


def _card(comparison: Comparison, outcome: Outcome, lang: str) -> str:
    if outcome.problem:
        return _frame(outcome.system, f'<p class="kb-note">{literal(say(lang, outcome.problem))}</p>', lang)
    verdict = ""
    if outcome.refused:
        verdict = _badge("refused", say(lang, "compare_refused"))
    elif (holds := comparison.holds(outcome)) is not None:
        verdict = _badge("holds" if holds else "lacks", say(lang, "compare_holds" if holds else "compare_lacks"))
    facts = fact_list(outcome.sources[:1], lang) if outcome.sources else ""
    times = say(lang, "compare_times", first=duration(outcome.ttft_ms, lang), total=duration(outcome.total_ms, lang))
    body = f'<p class="kb-text">{literal(outcome.text)}</p>{verdict}{facts}<p class="kb-meta">{literal(times)}</p>'
    return _frame(outcome.system, body, lang)


def _frame(system: str, body: str, lang: str, *, busy: bool = False) -> str:
    title, about = literal(say(lang, f"system_{system}")), literal(say(lang, f"about_{system}"))
    state = ' aria-busy="true"' if busy else ""
    return f'<section class="kb-card" data-system="{system}"{state}><h2>{title}</h2><p class="kb-note">{about}</p>{body}</section>'


def _badge(kind: str, text: str) -> str:
    return f'<p class="kb-badge kb-badge-{kind}">{literal(text)}</p>'
