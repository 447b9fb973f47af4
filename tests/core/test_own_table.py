"""Training on a table of one's own: its rows become questions, what is left out is refused, bad tables and adapters are named in words."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from kblam_core.cli import main
from kblam_core.errors import InputError
from kblam_core.training import loop, questions
from kblam_core.training.config import TrainConfig
from kblam_core.training.generator import Generator, Sample
from kblam_core.training.own_table import TableGenerator, own_rows
from kblam_core.training.starting import starting_adapter
from kblam_core.triples import Triple, write_table
from tests.core.tiny import HashEncoder, byte_tokenizer, tiny_adapter, tiny_model

HALLS = [f"{name} Hall" for name in ("Arden", "Belmont", "Corvin", "Dunmore", "Elstow", "Farley", "Gorse", "Hollin")]
FACTS = [Triple(hall, name, f"{name} {number}") for number, hall in enumerate(HALLS) for name in ("warden", "date_built", "Budget")]


def draw(triples: list[Triple], *, seed: int = 0, tables: int = 60, **options) -> list[Sample]:
    generator = TableGenerator(triples, seed, **options)
    return [sample for _ in range(tables) for sample in generator.samples(6)]


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return draw(FACTS)


def test_samples_hold_rows_of_the_table_and_nothing_else(samples):
    assert draw(FACTS) == samples, "a seed gives the same again"
    held = [triple for sample in samples for triple in sample.triples]
    assert set(held) == set(FACTS)
    assert all(len(set(sample.triples)) == len(sample.triples) for sample in samples)


def test_every_kind_is_asked_and_only_answerable_ones_have_an_answer(samples):
    kinds = Counter(sample.kind for sample in samples)
    assert set(kinds) == {"answerable", "two_facts", "missing_entity", "near_miss", "missing_property", "unrelated"}
    assert 0.5 < kinds["answerable"] / len(samples) < 0.8
    for sample in samples:
        asked = (sample.entity.casefold(), sample.property.casefold())
        shown = {(triple.entity.casefold(), triple.property.casefold()) for triple in sample.triples}
        assert bool(sample.gold) == (sample.kind in ("answerable", "two_facts"))
        assert sample.kind == "unrelated" or (asked in shown) == bool(sample.gold), sample


def test_missing_entities_are_those_that_a_part_of_the_table_leaves_out():
    people = ["Mara Lund", "Ivo Petkov", "Ana Reyes", "Tom Okafor", "Yuki Sato", "Lea Brandt", "Omar Haddad", "Nils Berg"]
    made = draw([Triple(name, "phone", str(number)) for number, name in enumerate(people)], tables=120)
    missing = [sample.entity for sample in made if sample.kind == "missing_entity"]
    assert set(missing) == set(people)


def test_questions_name_the_property_as_a_person_would(samples):
    asked = [sample.question.casefold() for sample in samples if sample.kind == "answerable" and sample.property == "date_built"]
    assert asked
    assert not [question for question in asked if "date_built" in question or "{" in question]
    assert sum("date built" in question for question in asked) > 0.8 * len(asked)


@pytest.mark.parametrize(
    "triples",
    [
        [Triple("only one", name, "x") for name in "abcdef"],  # one entity
        [Triple(str(number), "p", "x") for number in range(6)],  # names of one letter
        [Triple("${1} <b>{e}</b>", f"{{p}} {{{{x}}}} {number}", "{e}") for number in range(6)],
        [Triple(f"山田 {number}号", "住所", "東京") for number in range(6)],
    ],
)
def test_odd_tables_make_questions_too(triples):
    made = draw(triples, tables=10)
    assert len(made) == 60
    assert all(set(sample.triples) <= set(triples) and sample.question for sample in made)


def test_large_tables_are_shown_in_parts():
    facts = [Triple(f"Unit {number}", name, str(number)) for number in range(300) for name in ("price", "weight")]
    assert max(len(sample.triples) for sample in draw(facts, tables=30, max_triples=64)) <= 64


def test_a_table_that_cannot_be_used_is_named_in_words(tmp_path):
    write_table(FACTS[:4], tmp_path / "few.csv")
    with pytest.raises(InputError, match=r"few\.csv holds 4 usable facts; .* at least 5"):
        own_rows(tmp_path / "few.csv")
    write_table(FACTS[:5], tmp_path / "enough.csv")
    assert own_rows(tmp_path / "enough.csv") == FACTS[:5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kb", "none.csv"], "none.csv"),
        (["--kb", "odd.csv"], "entity"),
        (["--kb", "empty.csv"], "empty"),
        (["--kb-share", "0.3"], "--kb"),
        (["--accumulate", "99"], "99 parts are too many"),
        (["--precision", "int3"], "int3"),
        (["--trackio"], "pip install trackio"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "trackio", None)  # as if it were not installed
    Path("odd.csv").write_text("name,height\nArden,3\n")
    Path("empty.csv").write_text("")
    assert main(["train", "--out", "out", *arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert message in error[0]


def test_the_help_shows_how_to_adjust_an_adapter_to_a_table(capsys):
    assert main(["train", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--kb my.csv --start-from" in shown
    assert "torchrun" in shown


# ------------------------------------------------------------------------------------------------------------- start from an adapter
def test_an_adapter_is_gone_on_with_only_where_it_fits(tmp_path):
    fresh = tiny_adapter()
    folder = str(tiny_adapter(seed=7).save(tmp_path / "other", half=False))
    found = starting_adapter(folder, fresh)
    assert all(parameter.requires_grad for parameter in found.parameters())
    assert torch.equal(found.key_map.weight, tiny_adapter(seed=7).key_map.weight)
    with pytest.raises(InputError, match="--encoder words"):
        starting_adapter(str(tiny_adapter(encoder="words").save(tmp_path / "encoder")), fresh)
    config = json.loads((tmp_path / "other" / "adapter.json").read_text())
    (tmp_path / "other" / "adapter.json").write_text(json.dumps(config | {"paper_only": True}))
    with pytest.raises(InputError, match="plain KBLaM"):
        starting_adapter(folder, fresh)


def test_the_whole_command_adjusts_an_adapter_to_a_table(tmp_path, monkeypatch, capsys):
    """Every stage on tiny parts: the result holds the start, moved; the card says what the table gained; a second run makes no step."""
    encoder = HashEncoder()
    monkeypatch.setattr(loop, "load_encoder", lambda name, device: encoder)
    monkeypatch.setattr(loop, "load_backbone", lambda name, dtype: (tiny_model().to(dtype), byte_tokenizer()))
    monkeypatch.setattr(questions, "CHECKED", 24)
    drawn: list[type] = []
    monkeypatch.setattr(Generator, "samples", _noting(Generator.samples, drawn))
    start = tiny_adapter(seed=7, encoder="hashes")
    start.save(tmp_path / "start", half=False)
    write_table(FACTS, tmp_path / "my.csv")
    command = ["train", "--out", str(tmp_path / "out"), "--encoder", "hashes", "--kb", str(tmp_path / "my.csv")]
    command += ["--start-from", str(tmp_path / "start"), "--questions", "96", "--steps", "2", "--batch-size", "4", "--precision", "float32"]
    command += ["--accumulate", "2", "--checkpointing", "--trackio"]
    tracked: list[dict] = []
    stand_in = SimpleNamespace(init=lambda **about: tracked.append(about), log=tracked.append, finish=lambda: tracked.append({}))
    monkeypatch.setitem(sys.modules, "trackio", stand_in)
    assert main(command) == 0
    said = capsys.readouterr().err
    assert [sorted(part)[:1] for part in tracked] == [["config"], ["answer"], ["answer"], []]
    assert "24 facts of my.csv take part" in said
    assert "Other questions on my.csv: the question prior handles" in said
    assert "before" in said
    counted = Counter(drawn)
    assert counted[TableGenerator] and counted[Generator], "half of the questions are the table's, half are generated"
    card = json.loads((tmp_path / "out" / "adapter.json").read_text())
    assert card["layers"] == list(start.config.layers)
    assert card["card"]["started_from"] == "start"
    assert card["card"]["own_table"].keys() == {"share", "prior", "before"}
    assert str(tmp_path) not in json.dumps(card)
    saved = loop.KblamAdapter.load(tmp_path / "out")
    moved = (saved.value_map.weight - start.value_map.weight).detach().abs().max()
    assert 0 < float(moved) < 0.1
    lines = (tmp_path / "out" / "metrics.jsonl").read_text()
    assert len(lines.splitlines()) == 2
    assert main(command) == 0
    assert (tmp_path / "out" / "metrics.jsonl").read_text() == lines


def _noting(samples, drawn: list[type]):
    def noted(self, count: int = 8) -> list[Sample]:
        drawn.append(type(self))
        return samples(self, count)

    return noted


def test_the_two_kinds_of_questions_are_mixed_by_share(tmp_path, monkeypatch):
    monkeypatch.setattr(questions, "CHECKED", 8)
    write_table(FACTS, tmp_path / "my.csv")
    pool = loop.VectorPool(HashEncoder())
    config = TrainConfig(out=tmp_path, questions=40, kb=tmp_path / "my.csv", kb_share=0.25)
    with loop._progress(shown=False) as progress:
        data = questions.make_questions(config, pool, None, progress)
        assert [len(part) for part in (data.prior, data.attention, data.checked, data.own)] == [160, 40, 8, 4]
        for part, share in ((data.prior, 40), (data.attention, 10)):
            assert sum(set(item.sample.triples) <= set(FACTS) for item in part) == share
        again = questions.make_questions(config, loop.VectorPool(HashEncoder()), None, progress)
        assert all(np.array_equal(one.lexical, two.lexical) for one, two in zip(data.own, again.own, strict=True))
