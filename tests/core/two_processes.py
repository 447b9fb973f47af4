"""Run by torchrun in test_team.py: each process takes its share of a step, then of a short training run. Argument: the output folder."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

from kblam_core import decoder
from kblam_core.training.attention_stage import gradients, train_attention
from kblam_core.training.batching import Batcher
from kblam_core.training.config import TrainConfig
from kblam_core.training.generator import Generator
from kblam_core.training.prepared import Prepared, VectorPool, prepare
from kblam_core.training.prior_stage import read_across
from kblam_core.training.team import Team
from tests.core.tiny import HashEncoder, byte_tokenizer, tiny_adapter, tiny_model


def questions() -> tuple[list[Prepared], VectorPool]:
    generator = Generator(5, max_triples=12)
    pool = VectorPool(HashEncoder())
    data = prepare([sample for _ in range(4) for sample in generator.samples(6)], pool)
    read_across(data, None, pool.encoder)
    return data, pool


def step_gradients(team: Team, *, parts: int = 1, with_prior: bool = True, checkpointing: bool = False) -> dict[str, torch.Tensor]:
    """The gradients that one step on seven questions leaves in a tiny adapter."""
    from kblam_core.training.attention_stage import save_activations, split

    data, pool = questions()
    model, adapter = tiny_model(), tiny_adapter()
    adapter.prior.requires_grad_(False)
    decoder.attach(model, adapter)
    if checkpointing:
        save_activations(model)
    batcher = Batcher(byte_tokenizer(), pool, adapter, max_triples=12, seed=0)
    batches = [batcher(part) for part in split(data[:7][team.number :: team.size], parts)]
    losses = gradients(adapter, model, batches, with_prior=with_prior, weight=0.2, team=team)
    return {"loss": losses.total} | {name: one.grad for name, one in adapter.named_parameters() if one.grad is not None}


def train(folder: Path, team: Team, **settings) -> dict[str, torch.Tensor]:
    """Three steps of the attention stage; the adapter's parameters afterwards."""
    data, pool = questions()
    # A process that begins elsewhere must be brought to where the first one is.
    model, adapter = tiny_model(), tiny_adapter(seed=1 + team.number)
    decoder.attach(model, adapter)
    config = TrainConfig(out=folder, steps=3, batch_size=6, max_triples=12, prior_drop=0.3, **settings)
    train_attention(adapter, model, byte_tokenizer(), data, pool, config, deadline=time.monotonic() + 10_000 * (1 - team.number), team=team)
    return {name: one.detach().clone() for name, one in adapter.named_parameters() if not name.startswith("prior.")}


if __name__ == "__main__":
    torch.set_num_threads(1)
    out = Path(sys.argv[1])
    team, device = Team.join(cpu=True, hours=0.1)
    assert team.size == 2
    assert device is None
    with team.first_alone():
        if team.is_first:
            (out / "made").write_text("by the first")
        assert (out / "made").exists()
    made = {
        "prior": step_gradients(team),
        "no prior": step_gradients(team, with_prior=False),
        "trained": train(out / "run", team),
    }
    torch.save(made, out / f"{team.number}.pt")
    team.leave()
