"""The two adapters of their own in the table of modes, made from the shipped one: without supervised attention, and trained for mode paper.

`python -m tools.train_for_modes` writes runs/no_attention_loss and runs/plain, each 500 steps of the attention stage on the same generated
questions (half an hour on two cores with bfloat16). Cross-encoder, reader, prior and wording memory stay the shipped adapter's, so that
the tables differ by the attention alone. Stopped and run again, it goes on where it was.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from kblam_core.adapter import KblamAdapter
from kblam_core.encoders import load_encoder
from kblam_core.model import SHIPPED_ADAPTERS
from kblam_core.training.attention_stage import train_attention
from kblam_core.training.catalogue import load_catalogue
from kblam_core.training.config import TrainConfig
from kblam_core.training.cross_stage import is_left_out
from kblam_core.training.generator import Generator
from kblam_core.training.loop import build
from kblam_core.training.memory_stage import remember
from kblam_core.training.prepared import Prepared, VectorPool, prepare
from kblam_core.training.questions import MAX_TABLE, QUESTIONS_PER_TABLE

ROOT = Path(__file__).parent.parent
VARIANTS = {"no_attention_loss": {"attention_loss": 0.0}, "plain": {"attention_loss": 0.0, "prior_drop": 1.0}}
SHARED = ("prior", "cross", "reader")


def questions(pool: VectorPool, count: int) -> list[Prepared]:
    """At least `count` questions of the generator, measured for the prior as in training."""
    known = [domain for domain in load_catalogue() if not is_left_out(domain)]
    memory = remember(pool.encoder, known, remembered=TrainConfig.remembered)
    generator = Generator(2, max_triples=MAX_TABLE)
    made: list[Prepared] = []
    while len(made) < count:
        samples = [sample for _ in range(25) for sample in generator.samples(QUESTIONS_PER_TABLE)]
        made += prepare(samples, pool, memory=memory)
    return made


def train_variant(name: str, data: list[Prepared], pool: VectorPool, *, steps: int, minutes: float) -> Path:
    """Train runs/`name` and return its folder."""
    config = TrainConfig(out=ROOT / "runs" / name, steps=steps, time_limit=minutes, **VARIANTS[name])
    shipped = KblamAdapter.load(SHIPPED_ADAPTERS / config.backbone)
    torch.manual_seed(config.seed)
    model, tokenizer, adapter = build(config, pool.encoder, "cpu")
    for part in SHARED:
        getattr(adapter, part).load_state_dict(getattr(shipped, part).state_dict())
    made = train_attention(adapter, model, tokenizer, data, pool, config, deadline=time.monotonic() + 60 * minutes)
    adapter.remember(shipped.memory)
    object.__setattr__(adapter.config, "card", {"settings": config.card(), "steps": made, "command": "python -m tools.train_for_modes"})
    return adapter.save(config.out)


def main() -> None:
    """Make the questions once, then both adapters."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--questions", type=int, default=6000)
    parser.add_argument("--time-limit", type=float, default=30, help="minutes for each adapter")
    options = parser.parse_args()
    pool = VectorPool(load_encoder(TrainConfig.encoder))
    data = questions(pool, options.questions)
    for name in VARIANTS:
        print(train_variant(name, data, pool, steps=options.steps, minutes=options.time_limit))


if __name__ == "__main__":
    main()
