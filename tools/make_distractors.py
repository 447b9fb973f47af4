"""Write assets/distractors.csv.gz: real-looking facts that pad the evaluation tables to a larger size.

    PYTHONPATH=. python tools/make_distractors.py

Entities are names of the training catalogue that never enter training (generator.is_held_out), then people, companies and places made by
Faker that are held out by the same rule. None is named by a table or question of the evaluation suites. (The file in the project was
drawn with PYTHONHASHSEED=0, on which Faker's Italian towns depended then; drawn today it holds other towns.)
"""

import csv
import gzip
import io
import random
from pathlib import Path

from faker import Faker

from kblam_core.evaluation.questions import read_questions
from kblam_core.evaluation.runner import find_suite
from kblam_core.evaluation.sizes import DISTRACTORS, names_it
from kblam_core.table_format import COLUMNS
from kblam_core.training.catalogue import Domain, load_catalogue
from kblam_core.training.generator import is_held_out
from kblam_core.training.values import Values
from kblam_core.triples import clean_rows, read_table

ASSETS = DISTRACTORS.parent
FACTS = 12_000  # two thousand more than the largest size: some name what a question names, and those are passed over
SEED = 91_001
MADE = {
    "employees": "name",
    "famous_people_biography": "name",
    "companies": "company",
    "banks_and_finance": "company",
    "farms_and_food_producers": "company",
    "cities_and_towns": "city",
    "real_estate_listings": "street_address",
    "apartments_and_tenants": "street_address",
}
LOCALES = ("en_GB", "en_US", "de_DE", "fr_FR", "es_ES", "it_IT", "pl_PL", "sv_SE", "cs_CZ")


def main() -> None:
    """Draw entities with a handful of properties each until there are enough facts."""
    draw, values = random.Random(SEED), Values(SEED)
    fakers = [Faker(locale) for locale in LOCALES]
    for faker in fakers:
        faker.seed_instance(SEED)
    domains = load_catalogue()
    meant = _named_by_the_suites()
    listed = [(name, domain) for domain in domains for name in domain.entities if is_held_out(name)]
    draw.shuffle(listed)
    by_name = {domain.name: domain for domain in domains}
    rows: dict[tuple[str, str], tuple[str, str, str]] = {}
    seen: set[str] = set()
    while len(rows) < FACTS:
        entity, domain = listed.pop() if listed else _made(draw, fakers, by_name)
        if entity.casefold() in seen or not is_held_out(entity) or meant(entity):
            continue
        seen.add(entity.casefold())
        for property_ in draw.sample(domain.properties, min(len(domain.properties), draw.randint(4, 10))):
            name = draw.choice(property_.names)
            rows.setdefault((entity.casefold(), name.casefold()), (entity, name, values.draw(property_)))
    chosen = list(rows.values())
    draw.shuffle(chosen)
    triples = clean_rows(chosen[:FACTS], max_rows=FACTS).triples
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((triple.entity, triple.property, triple.value) for triple in triples)
    DISTRACTORS.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    print(f"{len(triples):,} facts about {len({triple.entity for triple in triples}):,} entities in {DISTRACTORS.name}")


def _made(draw: random.Random, fakers: list[Faker], domains: dict[str, Domain]) -> tuple[str, Domain]:
    domain = draw.choice(list(MADE))
    name = getattr(draw.choice(fakers), MADE[domain])()
    return name.replace("\n", ", "), domains[domain]


def _named_by_the_suites():
    entities, sentences = [], []
    for folder in (ASSETS / "evaluation", ASSETS / "evaluation_held_out"):
        for table, asked in find_suite(folder):
            entities += [triple.entity for triple in read_table(table).triples]
            for question in read_questions(asked):
                entities += [entity for entity, _ in question.keys]
                sentences += question.texts
    for table in Path(ASSETS / "samples").glob("*.csv"):
        entities += [triple.entity for triple in read_table(table).triples]
    return names_it(entities, sentences)


if __name__ == "__main__":
    main()
