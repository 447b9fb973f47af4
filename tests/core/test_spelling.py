"""Slips of the finger are put right; names, other languages and what is a word already stay as they are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kblam_core.spelling import mended

NAMES = ("velortan", "halden", "workshop", "hebrew")
PROPERTIES = ("required", "header", "wingspan")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Who disovered iron?", "Who discovered iron?"),
        ("Whhich key is it in?", "Which key is it in?"),
        ("when do mice give birth after matnig", "when do mice give birth after mating"),
        ("Which haeder do I send?", "Which header do I send?"),  # the table's word, not "harder"
        ("wingsppan of a kakapo", "wingspan of a kakapo"),
        ("what is the opening rime of the museum", "what is the opening rime of the museum"),  # a word
        ("how much veloratn do I take", "how much velortan do I take"),  # the table's word with two letters swapped
        ("Who runs the Haldenn Workshop?", "Who runs the Halden Workshop?"),  # with one doubled
        ("wingsapn", "wingspan"),
        ("how much velorten do I take", "how much velorten do I take"),  # another letter: may be another name
        ("how much velotan do I take", "how much velotan do I take"),  # a letter less: too
        ("how much velortann do I and veloratnn", "how much velortan do I and veloratnn"),  # two slips are no slip
        ("who wrote herew texts", "who wrote herew texts"),
        ("Who runs Mercedse?", "Who runs Mercedse?"),  # a name
        ("is it a hotkey or landline, which colour and mould", "is it a hotkey or landline, which colour and mould"),
        ("wie heisst der Erfindre des Telefons", "wie heisst der Erfindre des Telefons"),
        ("кто оркестровал картинки с выставки", "кто оркестровал картинки с выставки"),
        ("ab" * 1000 + " halden", "ab" * 1000 + " halden"),  # no word
        ("", ""),
    ],
)
def test_only_slips_are_put_right(typed: str, meant: str) -> None:
    assert mended(typed, names=NAMES, properties=PROPERTIES) == meant


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_borne_and_mended_once(text: str) -> None:
    once = mended(text, names=NAMES, properties=PROPERTIES)
    assert mended(once, names=NAMES, properties=PROPERTIES) == once
