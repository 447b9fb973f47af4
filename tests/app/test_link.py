"""A link: small, restores what it was made of, and a stranger's link does no harm."""

from __future__ import annotations

import base64
import json
import zlib

import pytest

from app.handlers import share, table
from app.link import MAX_LINK, PREFIX, Shared, make_link, plain_rows, read_link
from app.samples import SAMPLES
from app.session import Session
from kblam_core import InputError


def packed(content: object) -> str:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return PREFIX + base64.urlsafe_b64encode(zlib.compress(data, 9)).decode().rstrip("=")


def test_question_settings_and_table_come_back():
    shared = Shared("Wer? ${1} <b>", "paper", 0.35, rows=[["a", "b", "«c»"], ["d", "e", "f", False]])
    assert read_link(make_link(shared)) == shared
    named = Shared("Who?", "kblam", 0.2, rows=[["a", "b", "c"]], model="smollm2-135m · mine")
    assert read_link(make_link(named)) == named
    sample = Shared("Who?", "kblam", 0.2, sample="museum")
    assert read_link(make_link(sample)) == sample and len(make_link(sample)) < 200


def test_every_sample_with_one_change_fits_into_a_link():
    for sample in SAMPLES.values():
        session = Session()
        session.draft.replace([(fact.entity, fact.property, fact.value) for fact in sample.triples()])
        session.draft.add_row()
        shared = Shared("Who?", "kblam", 0.2, rows=plain_rows(session.draft))
        assert read_link(make_link(shared)).rows == shared.rows


def test_a_large_table_makes_a_link_without_it_and_says_so(session):
    session.draft.replace([(f"{number * 7919:x}", f"{number * 104729:x}", f"{number**3:x}") for number in range(900)])
    value, note = share.link(session, None, "Who?", "kblam", 0.2)
    assert read_link(value["fragment"]) == Shared("Who?", "kblam", 0.2) and "too large" in note


@pytest.mark.parametrize(
    "content",
    [
        [],
        "text",
        {"v": 1},
        {"v": 2, "q": "", "m": "kblam", "t": 0.2},
        {"v": 1, "q": 3, "m": "kblam", "t": 0.2},
        {"v": 1, "q": "x" * 3_000, "m": "kblam", "t": 0.2},
        {"v": 1, "q": "", "m": "other", "t": 0.2},
        {"v": 1, "q": "", "m": ["kblam"], "t": 0.2},
        {"v": 1, "q": "", "m": "kblam", "t": 0.2, "n": 3},
        {"v": 1, "q": "", "m": "kblam", "t": 0.2, "n": "x" * 201},
        {"v": 1, "q": "", "m": "kblam", "t": 7},
        {"v": 1, "q": "", "m": "kblam", "t": float("nan")},
        {"v": 1, "q": "", "m": "kblam", "t": 0.2, "s": "none"},
        {"v": 1, "q": "", "m": "kblam", "t": 0.2, "s": []},
        {"v": 1, "q": "", "m": "kblam", "t": 0.2, "r": "abc"},
        {"v": 1, "q": "", "m": "kblam", "t": 0.2, "r": [["a", "b"]]},
        {"v": 1, "q": "", "m": "kblam", "t": 0.2, "r": [["a", "b", 3]]},
        {"v": 1, "q": "", "m": "kblam", "t": 0.2, "r": [["", "", ""]] * 1_001},
        b"[" * 150_000,
        b" " * 2_000_000,
    ],
)
def test_what_no_link_of_ours_holds_is_refused(content):
    with pytest.raises(InputError, match="could not be read"):
        read_link(packed(content))


@pytest.mark.parametrize("fragment", [PREFIX, PREFIX + "%%%", PREFIX + "AAAA", PREFIX + "x" * MAX_LINK, packed({"v": 1})[:-4]])
def test_a_link_cut_off_is_refused(fragment):
    with pytest.raises(InputError, match="could not be read"):
        read_link(fragment)


@pytest.mark.parametrize("fragment", [None, "", "#", "#other", 3])
def test_another_fragment_is_none_of_ours(fragment):
    assert read_link(fragment) is None


def test_the_own_table_is_one_undo_away_and_stays_kept():
    session = Session()
    table.begin(session, {"v": 1, "sample": "clinic", "rows": [["own", "b", "c"]]})
    share.restore(session, Shared("q", "kblam", 0.2, rows=[["linked", "b", "c"]]))
    assert session.draft.rows[0].cells[0] == "linked"
    assert "value" not in table.keep(session)  # opening a link overwrites nothing in the browser
    table.undo(session, None)
    assert session.draft.rows[0].cells[0] == "own"
