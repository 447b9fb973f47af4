"""Sharing an adapter through the Hub, against a stand-in of its API on this machine; nothing leaves it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kblam_core import cli
from kblam_core import hub as sharing
from kblam_core.adapter import AdapterConfig, KblamAdapter
from kblam_core.evaluation.report import read_report
from kblam_core.hub import adapter_folder
from kblam_core.model_card import model_card
from tests.core.hub_server import TOKEN, HubServer, hub_server
from tests.core.tiny import tiny_adapter

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "assets" / "results" / "unseen-kblam.json"


@pytest.fixture
def hub():
    with hub_server() as running:
        yield running


def program(hub: HubServer | None, cache: Path, script: str, *arguments: object, token: str | None = TOKEN) -> subprocess.CompletedProcess:
    """A process of its own: huggingface_hub reads address and token when it is imported."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_HOME": str(cache), "HF_ENDPOINT": hub.url if hub else "http://127.0.0.1:9", "HF_HUB_DISABLE_TELEMETRY": "1"}
    environment |= {"HF_TOKEN": token} if token else {}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)


PUSH = """
import sys
from pathlib import Path
from kblam_core.errors import KblamError
from kblam_core.hub import push
try:
    print("uploaded to", push(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
except KblamError as error:
    print(type(error).__name__, error)
"""
FETCH = """
import sys
from kblam_core.errors import KblamError
from kblam_core.evaluation.report import read_report
from kblam_core.hub import adapter_folder
for name in sys.argv[1:]:
    try:
        print(adapter_folder(name))
    except KblamError as error:
        print(type(error).__name__, error)
"""


def test_an_adapter_goes_to_the_hub_and_comes_back(hub, tmp_path):
    adapter = tiny_adapter()
    folder = adapter.save(tmp_path / "adapter")
    (folder / "checkpoint.pt").write_bytes(b"of the training run")
    card = model_card("me/mine", adapter.config, [("unseen", read_report(REPORT))])
    pushed = program(hub, tmp_path / "home", PUSH, folder, "me/mine", card)
    assert pushed.stdout.strip() == f"uploaded to {hub.url}/me/mine", pushed.stderr
    assert set(hub.repos["me/mine"]) == {"adapter.json", "adapter.safetensors", "README.md"} and hub.commits == 1
    assert hub.repos["me/mine"]["README.md"].decode() == card
    missing = f"{tmp_path}/nothing/here/at/all"
    fetched = program(hub, tmp_path / "other", FETCH, "me/mine", "me/mine@main", "me/mine@v9", "me/other", missing, token=None)
    first, second, revision, other, local = fetched.stdout.splitlines()
    assert first == second and local == missing
    assert revision.startswith("MissingWeightsError") and "no revision 'v9'" in revision
    assert other.startswith("MissingWeightsError") and "no adapter 'me/other' on the Hub" in other
    assert sorted(hub.fetched) == ["adapter.json", "adapter.safetensors"], "the card is not needed, and nothing is fetched twice"
    again = KblamAdapter.load(first)
    assert again.config == adapter.config
    assert all((again.state_dict()[name] == tensor).all() for name, tensor in adapter.state_dict().items())
    offline = program(None, tmp_path / "other", FETCH, "me/mine", "me/new", token=None).stdout.splitlines()
    assert offline[0] == first, "what was fetched once needs no network"
    assert offline[1].startswith("MissingWeightsError") and "could not be asked" in offline[1]


ASK = """
import sys
from kblam_core import model
from kblam_core.cli import main
from tests.core.tiny import HashEncoder, byte_tokenizer, tiny_model
model.load_backbone = lambda *_, **__: (tiny_model(), byte_tokenizer())
model.load_encoder = lambda *_, **__: HashEncoder()
model.check_memory = lambda *_, **__: None
kblam = model.Kblam.load(adapter=sys.argv[1], device="cpu", dtype="float32")
print(kblam.adapter.config.card["note"], len(kblam.kb_layers))
sys.exit(main(["ask", "--adapter", sys.argv[1], "--kb", sys.argv[2], "--max-new-tokens", "2", "Who is the head of Halden?"]))
"""


def test_an_adapter_is_asked_by_its_name_on_the_hub(hub, tmp_path):
    adapter = tiny_adapter()
    adapter.config.card["note"] = "from the hub"
    folder = adapter.save(tmp_path / "adapter")
    hub.repos["me/mine"] = {file.name: file.read_bytes() for file in folder.iterdir()}
    table = tmp_path / "table.csv"
    table.write_text("entity,property,value\nHalden,head,Ingrid\nLinden,head,Aksel\n")
    done = program(hub, tmp_path / "home", ASK, "me/mine", table)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[0] == "from the hub 2"
    assert len(done.stdout.splitlines()) > 1
    assert sorted(hub.fetched) == ["adapter.json", "adapter.safetensors"]


def test_without_the_right_to_write_it_is_said_in_words(hub, tmp_path):
    folder = tiny_adapter().save(tmp_path / "adapter")
    refused = program(hub, tmp_path / "home", PUSH, folder, "me/mine", "card", token="hf_wrong")
    assert not hub.repos
    assert refused.stdout.startswith("ServiceError The Hub does not let you write to 'me/mine'. Log in with `hf auth login`")
    unreachable = program(None, tmp_path / "home", PUSH, folder, "me/mine", "card")
    assert unreachable.stdout.startswith("ServiceError The Hub could not be reached")


def test_the_command_uploads_the_folder_with_its_card(capsys, tmp_path, monkeypatch):
    sent = []
    monkeypatch.setattr(sharing, "push", lambda *given, private: sent.append((*given, private)) or "https://the.hub/me/mine")
    folder = tiny_adapter().save(tmp_path / "adapter")
    assert cli.main(["push", str(folder), "me/mine", "--report", str(REPORT), "--private"]) == 0
    assert capsys.readouterr().out == "uploaded to https://the.hub/me/mine\n"
    ((path, repo, card, private),) = sent
    assert (path, repo, private) == (folder, "me/mine", True)
    assert "--adapter me/mine" in card and "## Evaluation" in card


@pytest.mark.parametrize("name", ["mine", "a/b/c", "me/mine@main", "me/..", "/me"])
def test_names_the_hub_does_not_take_are_refused(capsys, tmp_path, name):
    folder = tiny_adapter().save(tmp_path / "adapter")
    assert cli.main(["push", str(folder), name]) == 2
    assert name in capsys.readouterr().err


def test_what_is_no_adapter_or_no_report_is_refused_before_anything_is_sent(capsys, tmp_path):
    assert cli.main(["push", str(tmp_path), "me/mine"]) == 2
    assert "No adapter in" in capsys.readouterr().err
    folder = tiny_adapter().save(tmp_path / "adapter")
    assert cli.main(["push", str(folder), "me/mine", "--report", str(folder / "adapter.json")]) == 2
    assert "is not a report" in capsys.readouterr().err


def test_a_local_folder_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "me" / "mine").mkdir(parents=True)
    assert adapter_folder("me/mine") == Path("me/mine")
    assert adapter_folder(tmp_path) == tmp_path


# ---------------------------------------------------------------------------------------------------------------------- card
def test_the_card_holds_the_metrics_for_people_and_for_the_hub(capsys, tmp_path):
    folder = tiny_adapter().save(tmp_path / "adapter")
    assert cli.main(["push", str(folder), "me/mine", "--report", str(REPORT), "--card"]) == 0
    card = capsys.readouterr().out
    _, head, text = card.split("---\n", 2)
    front = yaml.safe_load(head)
    report = json.loads(REPORT.read_text())
    assert front["library_name"] == "kblam" and "kblam" in front["tags"]
    metrics = {one["type"]: one["value"] for one in front["model-index"][0]["results"][0]["metrics"]}
    assert metrics["accuracy"] == round(report["accuracy"], 4)
    assert f"{report['accuracy'] * 100:.1f} %" in text


def test_a_card_without_figures_claims_none():
    config = AdapterConfig("smollm2-135m", "all-MiniLM-L6-v2", 384, 64, 4, 16, (0, 3), {"settings": {"note": "a | <b>"}})
    card = model_card("me/mine", config)
    assert "No evaluation was uploaded" in card and "model-index" not in card
    assert "base_model: HuggingFaceTB/SmolLM2-135M-Instruct" in card
    assert "| settings.note | a \\| &lt;b> |" in card
