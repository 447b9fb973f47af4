"""Choosing another model under Options: it is loaded then, answers from then on, and says in words when it cannot be loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from app.link import Shared, make_link
from kblam_core import NotEnoughMemoryError
from tests.app.fakes import FakeKblam
from tests.serving import app_with

QUESTION = "What is the opening year of Halden Workshop?"
SHORT = "The model 'large' in float32 needs about 33 GB of memory, and 7.0 GB are free on this machine. Try a smaller model."


def too_large() -> FakeKblam:
    raise NotEnoughMemoryError(SHORT)


@pytest.fixture(scope="module")
def fakes() -> dict[str, FakeKblam]:
    return {"first": FakeKblam(), "second": FakeKblam()}


@pytest.fixture(scope="module")
def url(fakes) -> Iterator[str]:
    with app_with(lambda: fakes["first"], second=lambda: fakes["second"], large=too_large) as address:
        yield address


def test_another_model_answers_once_it_is_chosen(visit, url, fakes):
    here = visit(url)
    here.page.click("#kb-options button")
    expect(here.page.locator("#kb-model input")).to_have_value("stand-in")
    here.choose("#kb-model", "second")
    here.ask(QUESTION)
    assert (len(fakes["first"].asked), len(fakes["second"].asked)) == (0, 1)


def test_a_link_chooses_its_model_or_says_kindly_that_it_is_not_here(visit, url, fakes):
    here = visit(url)
    here.page.click("#kb-options button")
    here.choose("#kb-model", "second")
    here.page.locator("#kb-share button").first.click()
    here.page.click("#kb-copy-link")
    expect(here.page.locator("#kb-link input")).to_have_value(re.compile("#kblam="))
    there = visit(here.page.locator("#kb-link input").input_value())
    there.page.click("#kb-options button")
    expect(there.page.locator("#kb-model input")).to_have_value("second")
    asked = len(fakes["second"].asked)
    there.ask(QUESTION)
    assert len(fakes["second"].asked) == asked + 1
    away = visit(url + "/" + make_link(Shared(QUESTION, "kblam", 0.2, sample="clinic", model="someone's")))
    expect(away.page.locator("#kb-notice")).to_contain_text("made with the model someone's")
    expect(away.page.locator("#kb-notice")).to_contain_text("stand-in")
    expect(away.page.locator("#kb-question textarea")).to_have_value(QUESTION)


def test_a_model_that_does_not_fit_says_so_and_the_others_go_on(visit, url):
    here = visit(url)
    here.page.click("#kb-options button")
    here.choose("#kb-model", "large")
    expect(here.page.locator("#kb-banner")).to_contain_text(SHORT)
    expect(here.ask(QUESTION)).to_contain_text(SHORT)
    here.choose("#kb-model", "stand-in")
    expect(here.page.locator("#kb-banner")).not_to_contain_text(SHORT)
    expect(here.ask(QUESTION)).not_to_contain_text("No answer")
