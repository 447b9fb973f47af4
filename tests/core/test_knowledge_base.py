"""A table with vectors: every edit equals a rebuild and encodes only what changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from kblam_core.errors import InputError
from kblam_core.knowledge_base import KnowledgeBase
from kblam_core.prior import readable
from kblam_core.triples import Triple
from tests.core.tiny import ENCODER_WIDTH, HashEncoder

TABLE = [
    Triple("Halden Workshop", "head", "Ingrid Solberg"),
    Triple("Halden Workshop", "date_built", "1987"),
    Triple("Linden House", "head", "Aksel Rød"),
    Triple("灯台", "高さ", "31 m"),
]
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
cells = st.sampled_from(["Ada", "Bern", "Halden Workshop", "灯台", "it's", "a b c"])
triples = st.builds(Triple, cells, cells, cells)
# No table holds an entity's property twice: clean_rows and the table's own add and edit see to that.
tables = st.lists(triples, max_size=8, unique_by=lambda triple: (triple.entity.casefold(), triple.property.casefold()))


@pytest.fixture
def base(encoder) -> KnowledgeBase:
    made = KnowledgeBase(encoder, TABLE)
    encoder.texts.clear()
    return made


def assert_same(one: KnowledgeBase, two: KnowledgeBase, *, rounded: float = 1e-6) -> None:
    assert one.triples == two.triples
    names = [name for triple in one.triples for name in (triple.entity, readable(triple.property))]
    for left, right in (
        (one.key_vectors, two.key_vectors),
        (one.value_vectors, two.value_vectors),
        *([(one.named_vectors(names), two.named_vectors(names))] if names else []),
    ):
        assert left.shape == right.shape
        assert left.dtype == right.dtype == np.float32
        np.testing.assert_allclose(left, right, atol=rounded)
    for question in ("Who is the head of Halden Workshop?", "ada bern", "灯台の高さは", ""):
        np.testing.assert_array_equal(one.coverage(question), two.coverage(question))


@QUICK
@given(tables, st.lists(tables, max_size=4))
def test_any_series_of_updates_equals_a_rebuild(first, later):
    base = KnowledgeBase(HashEncoder(), first)
    for table in later:
        held = set(base.triples)
        base.encoder.texts.clear()
        encoded = base.update(table)
        assert encoded == len(set(table) - held)
        fresh = [text for triple in table if triple not in held for text in (triple.key_text, triple.value_text)]
        assert sorted(base.encoder.texts[: 2 * encoded]) == sorted(fresh)
        assert_same(base, KnowledgeBase(HashEncoder(), table))


@QUICK
@given(st.data(), tables)
def test_any_series_of_edits_equals_a_rebuild(data, table):
    base = KnowledgeBase(HashEncoder(), table)
    expected = list(table)
    for _ in range(data.draw(st.integers(0, 5))):
        action = data.draw(st.sampled_from(["add", "edit", "remove"]))
        if action == "remove" and expected:
            row = data.draw(st.integers(0, len(expected) - 1))
            base.remove(row)
            expected.pop(row)
            continue
        triple = data.draw(triples)
        row = data.draw(st.integers(0, len(expected) - 1)) if action == "edit" and expected else None
        if any(other != row for other in base.find(triple.entity, triple.property)):
            with pytest.raises(InputError, match="already has"):
                base.add(triple) if row is None else base.edit(row, triple)
        elif row is None:
            base.add(triple)
            expected.append(triple)
        else:
            base.edit(row, triple)
            expected[row] = triple
    assert len(base) == len(expected)
    assert_same(base, KnowledgeBase(HashEncoder(), expected))


def test_an_edit_encodes_only_what_changed(base, encoder):
    base.edit(1, Triple("Halden Workshop", "date_built", "1991"))
    assert encoder.texts == ["the date_built of Halden Workshop", "1991", "The date built of it is 1991."]
    encoder.texts.clear()
    base.add(Triple("Halden Workshop", "budget", "4,000 €"))
    assert encoder.texts == ["the budget of Halden Workshop", "4,000 €", "budget", "The budget of it is 4,000 €."]
    encoder.texts.clear()
    base.remove(0)
    assert base.update(list(reversed(base.triples))) == 0
    assert base.update(base.triples) == 0
    assert encoder.texts == []


def test_a_failing_encoder_leaves_the_table_as_it_was(base, encoder, monkeypatch):
    def fail(texts):
        raise OSError("away")

    monkeypatch.setattr(encoder, "encode", fail)
    with pytest.raises(OSError, match="away"):
        base.add(Triple("New", "thing", "x"))
    assert base.triples == TABLE
    assert base.key_vectors.shape == base.value_vectors.shape == (4, ENCODER_WIDTH)


@pytest.mark.parametrize("row", [-1, 4])
def test_a_row_that_is_not_there_is_said_in_words(base, row):
    with pytest.raises(InputError, match=f"no row {row}: the table has 4 facts"):
        base.remove(row)
    with pytest.raises(InputError, match=f"no row {row}"):
        base.edit(row, TABLE[0])


def test_duplicates_and_empty_cells_are_refused(base):
    with pytest.raises(InputError, match="already has a 'HEAD'"):
        base.add(Triple("halden workshop", "HEAD", "Someone"))
    with pytest.raises(InputError, match="already has"):
        base.edit(2, Triple("Halden Workshop", "head", "Someone"))
    with pytest.raises(InputError, match="needs an entity, a property and a value"):
        base.add(Triple("Halden Workshop", "budget", " "))
    base.edit(0, Triple("HALDEN WORKSHOP", "Head", "Same row, other case"))
    assert base.triples[1:] == TABLE[1:]


def test_find_knows_no_case(base):
    assert base.find("HALDEN workshop") == [0, 1]
    assert base.find("Halden Workshop", "DATE_BUILT") == [1]
    assert base.find("Halden Workshop", "colour") == []
    assert base.find("灯台") == [3]


def test_coverage_is_highest_for_the_entity_asked(base):
    coverage = base.coverage("who runs Linden House?")
    assert coverage.shape == (4,)
    assert coverage.argmax() == 2
    assert coverage[2] == pytest.approx(1.0)
    assert coverage[0] < 0.5
    assert base.coverage("???").tolist() == [0, 0, 0, 0]


def test_an_empty_table_works(encoder):
    base = KnowledgeBase(encoder)
    assert len(base) == 0
    assert base.coverage("anything").shape == (0,)
    assert base.key_vectors.shape == (0, ENCODER_WIDTH)
    base.add(TABLE[0])
    base.remove(0)
    assert_same(base, KnowledgeBase(encoder))


@pytest.mark.parametrize(
    "table", [TABLE, [], [Triple('"${1}" {{x}}', "<b>&", "emoji 🛠️\nsecond line")], [Triple("a\0b", "\0", "c\0"), *TABLE]]
)
def test_a_saved_table_comes_back_without_encoding(tmp_path, encoder, table):
    base = KnowledgeBase(encoder, table)
    path = base.save(tmp_path / "folder" / "base.safetensors")
    encoder.texts.clear()
    again = KnowledgeBase.load(path, encoder)
    assert_same(again, base, rounded=1e-3)
    assert encoder.texts == []
    again.add(Triple("New", "thing", "x"))
    assert_same(again, KnowledgeBase(encoder, [*table, Triple("New", "thing", "x")]), rounded=1e-3)


def test_another_encoders_table_is_refused(tmp_path, base):
    path = base.save(tmp_path / "base.safetensors")
    other = HashEncoder()
    other.name = "others"
    with pytest.raises(InputError, match="encoded with 'hashes', but the encoder in use is 'others'"):
        KnowledgeBase.load(path, other)


@pytest.mark.parametrize("content", [None, b"", b"entity,property,value\na,b,c\n", b"\xff" * 40])
def test_a_file_that_is_no_table_is_refused_in_words(tmp_path, encoder, content):
    path = tmp_path / "base.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"base\.safetensors"):
        KnowledgeBase.load(path, encoder)


def test_other_tensors_are_refused_in_words(tmp_path, encoder):
    save_file({"texts": np.zeros(3)}, tmp_path / "adapter.safetensors", metadata={"encoder": encoder.name})
    with pytest.raises(InputError, match="is not an encoded base of this version; make it again"):
        KnowledgeBase.load(tmp_path / "adapter.safetensors", encoder)


def test_a_saved_table_holds_nothing_that_was_removed(tmp_path, base):
    base.remove(2)
    path = base.save(tmp_path / "base.safetensors")
    assert b"Linden House" not in path.read_bytes()
