"""One question answered in five ways, side by side: what came of each way, and how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.render import duration, fact_list, literal
from app.texts import say
from kblam_core import Answer, Reply, Source, Triple, is_correct

SYSTEMS = ("kblam", "paper", "rag", "in-context", "zero-shot")
CITED, NONE = "cited", "none"  # what the answers are judged by, besides the facts' numbers
MOST_CHOICES = 500  # the browser holds them all


@dataclass(frozen=True)
class Outcome:
    """What one system said. problem: a key of texts, with `text` empty, when it could not be asked."""

    system: str
    text: str = ""
    refused: bool = False
    ttft_ms: float = 0.0
    total_ms: float = 0.0
    sources: Sequence[Source] = ()
    nearest: Sequence[Source] = ()
    problem: str = ""

    @classmethod
    def of_answer(cls, system: str, answer: Answer) -> Outcome:
        timing = answer.timing
        return cls(system, answer.text, answer.refused, timing.ttft_ms, timing.total_ms, tuple(answer.sources), tuple(answer.nearest))

    @classmethod
    def of_reply(cls, system: str, reply: Reply) -> Outcome:
        return cls(system, reply.text, reply.refused, reply.ttft_ms, reply.total_ms)


@dataclass
class Comparison:
    """The outcomes so far. state: "loading" | "running" | "done" | "stopped" | "error" with the reason in `problem`.

    facts: the table as it was when asked. judge: what the visitor calls right, CITED, NONE (every answer should be a refusal) or the
    number of a fact in `facts`.
    """

    question: str
    state: str = "loading"
    problem: str = ""
    outcomes: list[Outcome] = field(default_factory=list)
    facts: Sequence[Triple] = ()
    judge: str | int = CITED

    def right_fact(self) -> Triple | None:
        """The fact whose value a right answer holds: the visitor's, or the one that KBLaM cites first. None when there is none."""
        if isinstance(self.judge, int):
            return self.facts[self.judge]
        cited = [] if self.judge == NONE else self._of_kblam("sources")
        return Triple(cited[0].entity, cited[0].property, cited[0].value) if cited else None

    def is_right(self, outcome: Outcome) -> bool | None:
        """Whether an answer holds the right fact's value, or refuses where it should; None when there is nothing to judge by."""
        if outcome.problem:
            return None
        if self.judge == NONE:
            return outcome.refused
        fact = self.right_fact()
        return None if fact is None else is_correct(outcome.text, fact.value, refused=outcome.refused)

    def judge_by(self, judge: object) -> None:
        """Take over what the visitor calls right; anything unknown means CITED."""
        known = judge == NONE or (isinstance(judge, int) and not isinstance(judge, bool) and 0 <= judge < len(self.facts))
        self.judge = judge if known else CITED

    def choices(self, lang: str) -> list[tuple[str, str | int]]:
        """What can be called right, with words: the cited fact, none, then at most MOST_CHOICES facts, the nearest first."""
        order = [source.index for source in [*self._of_kblam("sources"), *self._of_kblam("nearest")]]
        order = list(dict.fromkeys([*order, *range(min(len(self.facts), MOST_CHOICES))]))[:MOST_CHOICES]
        if isinstance(self.judge, int) and self.judge not in order:
            order[-1] = self.judge
        named = [(fact_words(self.facts[index]), index) for index in order]
        return [(say(lang, "judged_cited"), CITED), (say(lang, "judged_none"), NONE), *named]

    def _of_kblam(self, name: str) -> Sequence[Source]:
        return next((getattr(outcome, name) for outcome in self.outcomes if outcome.system == "kblam"), ())


def fact_words(fact: Triple) -> str:
    """A fact on one line."""
    return f"{fact.entity} · {fact.property}: {fact.value}"


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
    if done:
        head += f'<p class="kb-note kb-judged" role="status">{literal(_judged_by(comparison, lang))}</p>'
    return f'<div class="kb-turn">{head}<div class="kb-cards">{"".join(cards)}</div></div>'


def _card(comparison: Comparison, outcome: Outcome, lang: str) -> str:
    if outcome.problem:
        return _frame(outcome.system, f'<p class="kb-note">{literal(say(lang, outcome.problem))}</p>', lang)
    verdict, right = "", comparison.is_right(outcome)
    if comparison.judge == NONE:
        verdict = _badge("holds" if right else "lacks", say(lang, "compare_right_refusal" if right else "compare_should_refuse"))
    elif outcome.refused:
        verdict = _badge("refused", say(lang, "compare_refused"))
    elif right is not None:
        verdict = _badge("holds" if right else "lacks", say(lang, "compare_holds" if right else "compare_lacks"))
    facts = fact_list(outcome.sources[:1], lang) if outcome.sources else ""
    times = say(lang, "compare_times", first=duration(outcome.ttft_ms, lang), total=duration(outcome.total_ms, lang))
    body = f'<p class="kb-text">{literal(outcome.text)}</p>{verdict}{facts}<p class="kb-meta">{literal(times)}</p>'
    return _frame(outcome.system, body, lang)


def _judged_by(comparison: Comparison, lang: str) -> str:
    """What the answers are judged by, in a sentence; where the list of facts is cut, that too."""
    fact, shown = comparison.right_fact(), min(len(comparison.facts), MOST_CHOICES)
    if comparison.judge == NONE:
        text = say(lang, "judged_refusal")
    elif fact is None:
        text = say(lang, "compare_no_value")
    else:
        text = say(lang, "judged_fact_cited" if comparison.judge == CITED else "judged_fact", fact=fact_words(fact))
    cut = say(lang, "judged_more", shown=shown, facts=len(comparison.facts)) if shown < len(comparison.facts) else ""
    return f"{text} {cut}".strip()


def _frame(system: str, body: str, lang: str, *, busy: bool = False) -> str:
    title, about = literal(say(lang, f"system_{system}")), literal(say(lang, f"about_{system}"))
    state = ' aria-busy="true"' if busy else ""
    return f'<section class="kb-card" data-system="{system}"{state}><h2>{title}</h2><p class="kb-note">{about}</p>{body}</section>'


def _badge(kind: str, text: str) -> str:
    return f'<p class="kb-badge kb-badge-{kind}">{literal(text)}</p>'
