"""The questions that prior and attention are trained with: drawn from the generator, prepared, and kept in questions.pkl."""

import contextlib
import pickle
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.progress import Progress

from kblam_core.training.catalogue import catalogue_checksum, load_catalogue
from kblam_core.training.config import TrainConfig
from kblam_core.training.cross_stage import is_left_out
from kblam_core.training.generator import Generator, Sample
from kblam_core.training.own_table import TableGenerator, own_rows
from kblam_core.training.padding import Padding
from kblam_core.training.people import load_people, people_checksum, people_samples
from kblam_core.training.prepared import Prepared, VectorPool, prepare
from kblam_core.wording_memory import WordingMemory

QUESTIONS_PER_TABLE = 24
MAX_TABLE = 192  # triples in the largest generated table
CHECKED = 480  # questions kept aside to measure the prior
PADDED = 0.33  # of the prior's tables, filled up to as many as ten thousand facts
PARTS = 3  # of each of the people's tables, asked beside the whole of it
MIX = 6  # counts up when other questions are mixed below, or measured otherwise: what an older program kept is made anew


@dataclass
class Questions:
    """For the prior: generated ones, half of them of domains that neither cross-encoder nor memory have seen, half of all domains, to learn
    what to make of a wording that was met before; and people's, which neither has seen. For the attention: of all domains. Kept aside: on
    held-out entities, and on the table of --kb."""

    prior: list[Prepared]
    attention: list[Prepared]
    checked: list[Prepared]
    own: Sequence[Prepared] = ()


def make_questions(config: TrainConfig, pool: VectorPool, memory: WordingMemory | None, progress: Progress) -> Questions:
    """The questions of config.seed, with their sentence vectors in `pool`; those in config.out are taken up if they were made alike.

    memory: without the domains that the prior is to meet as new ones. Raises InputError where the table of config.kb gives no questions.
    """
    cache = config.out / "questions.pkl"
    own = own_rows(config.kb) if config.kb else []
    made_with = (
        MIX,
        config.seed,
        config.questions,
        config.remembered,
        config.encoder,
        catalogue_checksum(),
        people_checksum(),
        *((own, config.kb_share) if own else ()),
    )
    if config.resume and cache.exists():
        # Written below, by this command. What an older program wrote may name classes that are gone.
        with contextlib.suppress(AttributeError, ImportError), cache.open("rb") as file:
            if pickle.load(file) == made_with:
                pool.vectors, data = pickle.load(file)
                return data
    left_out = tuple(domain for domain in load_catalogue() if is_left_out(domain))
    task = progress.add_task("questions", total=5 * config.questions)
    done = 0

    def make(generator: Generator, count: int, padding: Padding | None = None) -> list[Prepared]:
        nonlocal done
        made: list[Prepared] = []
        while len(made) < count:
            made += prepare(_draw(generator, min(1200, count - len(made)), padding), pool, memory=memory)
            progress.update(task, completed=done + len(made))
        done += count
        return made

    def people(count: int) -> list[Prepared]:
        nonlocal done
        samples = _people_asked(config.seed + 9, count)
        made: list[Prepared] = []
        for start in range(0, len(samples), 1200):
            made += prepare(samples[start : start + 1200], pool, memory=memory)
            progress.update(task, completed=done + len(made))
        done += count
        return made

    def mixed(others: Callable[[int], list[Prepared]], seed: int, count: int) -> list[Prepared]:
        share = round(config.kb_share * count) if own else 0
        made = others(count - share)
        return made + (make(TableGenerator(own, seed, max_triples=MAX_TABLE), share) if share else [])

    padding = Padding(config.seed + 8)
    new, known = Generator(config.seed, domains=left_out, max_triples=MAX_TABLE), Generator(config.seed + 6, max_triples=MAX_TABLE)
    attended = Generator(config.seed + 2, max_triples=MAX_TABLE)
    data = Questions(
        prior=mixed(lambda count: make(new, count, padding), config.seed + 3, config.questions)
        + mixed(lambda count: make(known, count, padding), config.seed + 7, config.questions)
        + mixed(people, config.seed + 10, 2 * config.questions),
        attention=mixed(lambda count: make(attended, count), config.seed + 4, config.questions),
        checked=make(Generator(config.seed + 1, held_out=True, max_triples=MAX_TABLE), CHECKED),
        own=make(TableGenerator(own, config.seed + 5, max_triples=MAX_TABLE), CHECKED // 2) if own else [],
    )
    part = cache.with_suffix(".part")
    with part.open("wb") as file:
        pickle.dump(made_with, file)
        pickle.dump((pool.vectors, data), file)
    part.replace(cache)
    return data


def _draw(generator: Generator, count: int, padding: Padding | None) -> list[Sample]:
    samples: list[Sample] = []
    while len(samples) < count:
        drawn = generator.samples(QUESTIONS_PER_TABLE)
        samples += padding.fill(drawn) if padding and padding.random.random() < PADDED else drawn
    return samples[:count]


def _people_asked(seed: int, count: int) -> list[Sample]:
    """At most `count` questions of the people's tables that are left out for the prior."""
    groups = people_samples([table for table in load_people() if table.left_out], parts=PARTS, seed=seed)
    random.Random(seed).shuffle(groups)
    padding = Padding(seed)
    samples: list[Sample] = []
    for group in groups:
        samples += padding.fill(group) if padding.random.random() < PADDED else group
    return samples[:count]
