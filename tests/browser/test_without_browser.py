"""Without a browser a person's tests are skipped with the reason; those of CI fail."""

from __future__ import annotations

import shutil

import pytest

from tests.browser.conftest import chromium


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_no_browser_is_a_skip_for_a_person_and_a_failure_in_ci(monkeypatch, ci, outcome):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no Chromium on this machine; install"):
        chromium()


def test_any_of_the_usual_names_will_do(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/chrome" if name == "google-chrome" else None)
    assert chromium() == "/usr/bin/chrome"
