"""What training costs: computed from shapes alone, and in agreement with the real tensors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from kblam_core import decoder
from kblam_core.cli import main
from kblam_core.training.attention_stage import forward, parameter_groups
from kblam_core.training.config import TrainConfig
from kblam_core.training.cost import Texts, compute, fresh_adapter, invented, measure, shape_of
from tests.core.tiny import tiny_model

CONFIG = TrainConfig(out=Path("unused"), batch_size=4)
TEXTS = Texts(prompt=10, answer=6, triples=20)


@pytest.fixture
def folder(tmp_path) -> str:
    tiny_model().save_pretrained(tmp_path / "tiny")
    return str(tmp_path / "tiny")


@pytest.mark.parametrize(
    ("name", "billions"), [("smollm2-135m", 0.1345), ("llama-3.2-1b", 1.236), ("llama-3-8b", 8.030), ("phi-3-mini", 3.821)]
)
def test_the_known_shapes_have_the_published_number_of_parameters(name, billions):
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(shape_of(name))
    assert sum(part.numel() for part in model.parameters()) / 1e9 == pytest.approx(billions, rel=1e-3)


def test_the_computed_numbers_are_those_of_real_tensors(folder):
    cost = compute(folder, CONFIG, TEXTS)
    model = tiny_model().bfloat16()
    adapter = fresh_adapter(folder, model, CONFIG)
    adapter.prior.requires_grad_(False)
    decoder.attach(model, adapter)
    assert cost.parameters == sum(part.numel() for part in model.parameters())
    assert cost.trained == sum(part.numel() for group in parameter_groups(adapter, CONFIG) for part in group["params"])
    own = {part.untyped_storage().data_ptr() for part in (*model.parameters(), *adapter.parameters())}
    held: dict[int, torch.UntypedStorage] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        forward(adapter, model, invented(4, TEXTS, model.config.vocab_size), with_prior=True, weight=0.2)
    # On a CPU attention is computed in float32, and the real losses keep a little more.
    assert 0.5 < cost.activations / sum(storage.nbytes() for storage in held.values()) < 1.1


def test_parts_and_checkpointing_need_less(folder):
    whole = compute(folder, CONFIG, TEXTS)
    parts = compute(folder, replace(CONFIG, accumulate=4), TEXTS)
    assert parts.activations < 0.3 * whole.activations
    assert parts.flops == pytest.approx(whole.flops, rel=0.05)
    assert whole.memory(checkpointing=True) < whole.memory()


def test_measuring_makes_real_steps():
    model = tiny_model()
    adapter = fresh_adapter("smollm2-135m", model, CONFIG)
    decoder.attach(model, adapter)
    before = adapter.value_map.weight.detach().clone()
    found = measure(model, adapter, replace(CONFIG, accumulate=2, checkpointing=True), TEXTS, steps=1)
    assert found.seconds > 0
    assert found.memory > 10_000_000
    assert not torch.equal(before, adapter.value_map.weight)


def test_info_prints_a_row_for_each_backbone(folder, tmp_path, capsys):
    assert main(["info", "--backbone", folder, "--backbone", "smollm2-135m", "--steps", "10"]) == 0
    shown = capsys.readouterr().out
    assert "Computed from the shapes" in shown
    assert [line.split("|")[2].strip() for line in shown.splitlines() if "smollm2-135m |" in line] == ["134.5 M"]
    assert shown.count("| ") > 20
    assert main(["info", "--backbone", folder, "--out", str(tmp_path / "cost.md")]) == 0
    written = (tmp_path / "cost.md").read_text()
    assert "adapter in training" in written
    assert f"{CONFIG.steps} steps of {TrainConfig(out=tmp_path).batch_size} questions" in written, "as many as `train` makes by default"


def test_the_record_is_what_the_command_prints_now(capsys):
    assert main(["info", "--backbone", "smollm2-135m", "--backbone", "llama-3.2-1b"]) == 0
    record = (Path(__file__).parents[2] / "assets" / "results" / "training_cost.md").read_text(encoding="utf-8")
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert len(rows) == 4 and all(row in record for row in rows)
    assert f"{CONFIG.steps} steps of 16 questions" in record


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--backbone", "lama-3-8b"], "Did you mean llama-3-8b?"), (["--measure"], "name it with --backbone")],
)
def test_info_says_in_one_line_what_is_wrong(arguments, message, capsys):
    assert main(["info", *arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert message in error[0]
