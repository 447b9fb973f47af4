"""A step cut into parts, or shared by two processes, or with its activations computed twice, has the gradients of the whole step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kblam_core import decoder
from kblam_core.training.attention_stage import forward, save_activations, split
from kblam_core.training.batching import Batcher
from kblam_core.training.team import Team
from tests.core.tiny import tiny_adapter, tiny_model
from tests.core.two_processes import questions, step_gradients, train

NEAR = {"atol": 1e-5, "rtol": 0.0}


def assert_alike(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> None:
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(one[name], two[name], **NEAR, msg=lambda text, name=name: f"{name}: {text}")


@pytest.fixture(scope="module")
def whole() -> dict[str, torch.Tensor]:
    found = step_gradients(Team())
    assert sum(float(one.abs().max()) > 1e-3 for one in found.values()) > 8
    return found


@pytest.mark.parametrize("parts", [2, 3, 7])
def test_accumulated_gradients_are_those_of_the_large_batch(whole, parts):
    assert_alike(whole, step_gradients(Team(), parts=parts))


def test_checkpointing_gives_the_same_gradients(whole):
    assert_alike(whole, step_gradients(Team(), checkpointing=True))


def test_checkpointing_keeps_less_and_switches_no_dropout_on(tokenizer, family):
    data, pool = questions()
    model, adapter = tiny_model(family), tiny_adapter(layers=(0, 1, 2))
    decoder.attach(model, adapter)
    batch = Batcher(tokenizer, pool, adapter, max_triples=12, seed=0)(data[:3])

    def kept() -> tuple[int, dict[str, torch.Tensor]]:
        held: dict[int, int] = {}

        def note(tensor: torch.Tensor) -> torch.Tensor:
            held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        adapter.zero_grad()
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            loss = forward(adapter, model, batch, with_prior=True, weight=0.2).total
        loss.backward()
        return sum(held.values()), {name: one.grad.clone() for name, one in adapter.named_parameters() if one.grad is not None}

    plain, expected = kept()
    save_activations(model)
    fewer, found = kept()
    assert fewer < 0.9 * plain
    assert_alike(expected, found)
    assert not any(part.training for part in model.modules() if "Dropout" in type(part).__name__ or "Attention" in type(part).__name__)


def test_two_processes_make_the_steps_of_one(whole, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    root = Path(__file__).parents[2]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    done = subprocess.run(
        [*command, "-m", "tests.core.two_processes", str(tmp_path)],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (torch.load(tmp_path / f"{number}.pt", weights_only=True) for number in (0, 1))
    alone = {
        "prior": whole,
        "no prior": step_gradients(Team(), with_prior=False),
    }
    for name, expected in alone.items():
        assert_alike(expected, first[name])
        assert_alike(expected, second[name])
    assert all(torch.equal(one, second["trained"][name]) for name, one in first["trained"].items())
    train(tmp_path / "alone", Team())
    logs = [(tmp_path / folder / "metrics.jsonl").read_text().splitlines() for folder in ("run", "alone")]
    together, by_itself = ([json.loads(line)["total"] for line in log] for log in logs)
    assert len(together) == 3, "the first process alone writes the log"
    # AdamW's first steps go by the gradients' signs, so rounding is not small where a gradient is.
    assert together == pytest.approx(by_itself, rel=1e-2)


@pytest.mark.parametrize("parts", [1, 2, 3, 9])
def test_a_step_is_cut_into_parts_of_like_length(parts):
    made = split(list(range(7)), parts)
    assert [one for part in made for one in part] == list(range(7))
    assert len(made) == min(parts, 7)
    assert max(map(len, made)) - min(map(len, made)) <= 1
