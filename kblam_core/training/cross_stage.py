"""First stage of training: the cross-encoder, from the catalogue's wordings, people's questions and WordNet's words. Each step asks some
properties of different domains and shows, for each, facts of that domain: the asked property (mostly), its neighbours, and others that
look like it.

One domain in eight and a third of the people's tables are left out, so that the question prior is trained on wordings that the
cross-encoder has not seen.
"""

import random
import re
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from kblam_core.cross_encoder import CrossEncoder
from kblam_core.encoders import LocalEncoder
from kblam_core.prior import readable, statement
from kblam_core.training import files
from kblam_core.training.catalogue import Domain, Property, generic_questions, load_catalogue, unrelated_messages
from kblam_core.training.concepts import ConceptMaker
from kblam_core.training.people import PeopleTable
from kblam_core.training.people_pairs import PeoplePairs
from kblam_core.training.values import Values
from kblam_core.training.wording import misspell
from kblam_core.triples import Triple

VALUES = 2  # different values shown with a property's name
VALUE_LENGTH = 60  # characters of a value that matter here
ABSENT = 0.25  # share of questions whose property is not among the facts
CHECKPOINT_EVERY = 100  # steps
CONCEPTS = 0.2  # share of questions about WordNet's words, of those that are not people's
PEOPLE = 0.2  # share of questions that people asked


def is_left_out(domain: Domain) -> bool:
    """Domains that the cross-encoder does not see: one in eight, by a checksum of the name."""
    return zlib.crc32(domain.name.encode()) % 8 == 0


@dataclass(frozen=True)
class Pairs:
    """A question without its entity and the facts to tell apart; the first one answers if `answered`."""

    question: str
    facts: list[str]
    answered: bool


class PairMaker:
    """An endless source of Pairs, a function of the seed. people: tables that a share PEOPLE of them comes from; `concepts`: share of the
    rest that is about WordNet's words."""

    def __init__(
        self,
        domains: list[Domain],
        encoder: LocalEncoder,
        *,
        seed: int,
        facts: int,
        concepts: float = CONCEPTS,
        people: Sequence[PeopleTable] = (),
    ) -> None:
        self.random = random.Random(seed)
        self.domains, self.facts = domains, facts
        self.share = concepts
        self._concepts = ConceptMaker(encoder, seed=seed + 1, facts=facts)
        self._people = PeoplePairs(people, seed=seed + 2, facts=facts)
        self._values = Values(seed)
        self._statements: dict[tuple[str, str, str], list[str]] = {}
        vectors = [encoder.encode([readable(one.names[0]) for one in domain.properties]) for domain in domains]
        self._near = {domain.name: one @ one.T for domain, one in zip(domains, vectors, strict=True)}

    def state(self) -> dict:
        """All that changes from draw to draw, for `restore`."""
        own = {"random": self.random.getstate(), "values": self._values.state(), "statements": self._statements}
        return own | {"concepts": self._concepts.state(), "people": self._people.state()}

    def restore(self, state: dict) -> None:
        """Go on from what `state` gave."""
        self._concepts.restore(state["concepts"])
        self._people.restore(state["people"])
        self.random.setstate(state["random"])
        self._values.restore(state["values"])
        self._statements = state["statements"]

    def draw(self) -> Pairs:
        """One question with its facts."""
        pick = self.random
        if len(self._people) and pick.random() < PEOPLE:
            return Pairs(*self._people.draw())
        domain = pick.choice(self.domains)
        asked = pick.choice(domain.properties)
        chance = pick.random()
        answered = pick.random() >= ABSENT
        if pick.random() < self.share:
            question, facts = self._concepts.draw(answered=answered)
            return Pairs(self._style(question, domain), facts, answered)
        if chance < 0.03:
            question, answered = pick.choice(unrelated_messages()), False
        elif chance < 0.05 and asked.neighbours:
            return self._neighbour_asked(domain, asked)
        elif chance < 0.15:
            question = pick.choice(generic_questions()).replace("{p}", readable(pick.choice(asked.names)))
        else:
            question = pick.choice(asked.questions)
        if pick.random() < 0.04 and "the {e}" not in question:
            question = question.replace("{e}", f"the {domain.noun} {{e}}")
        facts = [self._statement(domain, asked, pick.choice(asked.names))] if answered else []
        if asked.neighbours:
            near = pick.sample(asked.neighbours, min(len(asked.neighbours), pick.choice((1, 1, 2))))
            facts += [self._statement(domain, asked, name) for name in near]
        return Pairs(self._style(question, domain), self._filled(domain, asked, facts, without=()), answered)

    def _neighbour_asked(self, domain: Domain, asked: Property) -> Pairs:
        """A neighbouring property is asked by its name, and it is not there."""
        name = self.random.choice(asked.neighbours)
        question = self.random.choice(generic_questions()).replace("{p}", readable(name))
        others = [self._statement(domain, asked, self.random.choice(asked.names))]
        return Pairs(self._style(question, domain), self._filled(domain, asked, others, without=(name,)), False)

    def _filled(self, domain: Domain, asked: Property, facts: list[str], *, without: tuple[str, ...]) -> list[str]:
        """Up to `self.facts` facts: half of the rest those whose names are nearest, half at random."""
        row = self._near[domain.name][[one is asked for one in domain.properties].index(True)]
        order = [domain.properties[n] for n in np.argsort(-row) if domain.properties[n] is not asked]
        nearest = order[: max(0, self.facts - len(facts)) // 2 + 1]
        rest = order[len(nearest) :]
        self.random.shuffle(nearest)
        self.random.shuffle(rest)
        wanted = max(0, self.facts - len(facts))
        half = (wanted + 1) // 2
        for other in [*nearest[:half], *rest, *nearest[half:]][:wanted]:
            if not set(without) & set(other.names):
                facts.append(self._statement(domain, other, self.random.choice(other.names)))
        return facts[: self.facts]

    def _statement(self, domain: Domain, property_: Property, name: str) -> str:
        made = self._statements.setdefault((domain.name, property_.names[0], name), [])
        if len(made) == VALUES:
            return self.random.choice(made)
        made.append(statement(Triple("it", name, self._values.draw(property_)[:VALUE_LENGTH])))
        return made[-1]

    def _style(self, question: str, domain: Domain) -> str:
        """The question with "it" for the entity, as prior.read leaves it: sometimes with a word of the name left over, or a slip."""
        chance = self.random.random
        name = "it"
        if chance() < 0.06:
            left = self.random.choice(self.random.choice(domain.entities).split())
            name = f"it {left}" if chance() < 0.5 else f"{left} it"
        question = re.sub(r"\b(?:the|an?) it\b", "it", question.replace("{e}", name), flags=re.IGNORECASE)
        if chance() < 0.15:
            question = question.rstrip("?. ")
        if chance() < 0.15:
            question = question.lower()
        return misspell(question, self.random) if chance() < 0.05 else question


def cross_loss(logits: torch.Tensor, answered: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """Choice among the facts and "none" (logit 0), plus yes / no on each. logits, real (B, C); answered (B,): the first one is right."""
    hidden = logits.masked_fill(~real, -1e4)
    everything = torch.logsumexp(nn.functional.pad(hidden, (0, 1)), dim=-1)
    choice = everything - torch.where(answered, hidden[:, 0], torch.zeros_like(everything))
    right = torch.zeros_like(logits)
    right[:, 0] = answered.float()
    each = nn.functional.binary_cross_entropy_with_logits(logits, right, reduction="none") * real
    return choice.mean() + 0.5 * each.sum(-1).mean()


def train_cross(
    cross: CrossEncoder,
    encoder: LocalEncoder,
    *,
    steps: int,
    batch_size: int = 32,
    facts: int = 6,
    rate: float = 2e-4,
    seed: int = 0,
    dtype: torch.dtype | None = None,
    deadline: float | None = None,
    domains: list[Domain] | None = None,
    concepts: float = CONCEPTS,
    people: Sequence[PeopleTable] = (),
    report: Callable[[int, float], None] = lambda step, loss: None,
    checkpoint: Path | None = None,
) -> int:
    """Train `cross` in place; `deadline` is a time.monotonic() value. Returns the number of steps made in all.

    domains: by default those that are not left out; people: tables whose questions are asked, too.

    checkpoint: a file that is written every CHECKPOINT_EVERY steps, and taken up where it is there and was made with the same settings:
    the run then goes on as it would have without the interruption.
    """
    domains = domains or [domain for domain in load_catalogue() if not is_left_out(domain)]
    maker = PairMaker(domains, encoder, seed=seed, facts=facts, concepts=concepts, people=people)
    body = [*cross.layers.parameters(), *cross.part.parameters()]
    head = [*cross.first.parameters(), *cross.second.parameters()]
    groups = [{"params": body, "lr": rate}, {"params": head, "lr": 1e-3}, {"params": [cross.scale], "lr": 1e-2, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [rate, 1e-3, 1e-2], total_steps=steps + 1, pct_start=0.1)
    cross.train()
    made_with = [seed, steps, batch_size, facts, rate, concepts, len(domains), len(people), encoder.name]
    step = before = 0
    if checkpoint is not None and checkpoint.exists():
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
        if saved["made_with"] == made_with:
            step = before = _take_up(saved, cross, optimizer, schedule, maker)
    for step in range(before + 1, steps + 1):
        drawn = [maker.draw() for _ in range(batch_size)]
        questions = [one.question for one in drawn for _ in one.facts]
        scores = cross.read(encoder, questions, [fact for one in drawn for fact in one.facts], dtype=dtype)
        logits = nn.utils.rnn.pad_sequence(list(scores.float().split([len(one.facts) for one in drawn])), batch_first=True)
        real = torch.tensor([[place < len(one.facts) for place in range(logits.shape[1])] for one in drawn], device=logits.device)
        loss = cross_loss(logits, torch.tensor([one.answered for one in drawn], device=logits.device), real)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(cross.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if checkpoint is not None and step % CHECKPOINT_EVERY == 0 and step < steps:
            files.save({"made_with": made_with} | _state(step, cross, optimizer, schedule, maker), checkpoint)
        report(step, float(loss.detach()))
        if deadline is not None and time.monotonic() > deadline:
            break
    cross.eval()
    return step


def _state(step: int, cross: CrossEncoder, optimizer, schedule, maker: PairMaker) -> dict:
    """All that the next step depends on, random numbers (of the pairs and of dropout) included."""
    random_states = [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else ())]
    parts = {"cross": cross, "optimizer": optimizer, "schedule": schedule}
    return {"step": step, "maker": maker.state(), "random": random_states} | {name: part.state_dict() for name, part in parts.items()}


def _take_up(saved: dict, cross: CrossEncoder, optimizer, schedule, maker: PairMaker) -> int:
    """Put back what _state gave; returns the step."""
    for name, part in {"cross": cross, "optimizer": optimizer, "schedule": schedule}.items():
        part.load_state_dict(saved[name])
    maker.restore(saved["maker"])
    own, *others = saved["random"]
    torch.set_rng_state(own)
    if others and len(others) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(others)
    return saved["step"]
