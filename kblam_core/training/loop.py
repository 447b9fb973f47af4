"""The training command: generate questions, train the question prior, then the attention; write an adapter with its card.

Everything is a function of the seed. Each part leaves a file in the output folder (prior.pt, checkpoint.pt, metrics.jsonl), so that a
run that was killed goes on where it was.
"""

import contextlib
import importlib.metadata
import pickle
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from kblam_core import decoder
from kblam_core.adapter import AdapterConfig, KblamAdapter
from kblam_core.backbones import find_backbone, load_backbone
from kblam_core.encoders import LocalEncoder, load_encoder
from kblam_core.prior import QuestionPrior
from kblam_core.training.attention_stage import train_attention
from kblam_core.training.config import TrainConfig
from kblam_core.training.generator import Generator
from kblam_core.training.prior_stage import Prepared, VectorPool, judge_prior, prepare, train_prior

QUESTIONS_PER_TABLE = 24
PRIOR_SHARE = 0.35  # of the time limit, at most, for making the data and training the prior
MAX_TABLE = 192  # triples in the largest generated table
CHECKED = 480  # questions kept aside to measure the prior


def train(config: TrainConfig) -> Path:
    """Train an adapter as `config` says and return its folder. Raises MissingWeightsError and the like."""
    started = time.monotonic()
    end = started + 60 * config.time_limit
    device = ("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
    torch.manual_seed(config.seed)
    config.out.mkdir(parents=True, exist_ok=True)
    encoder = load_encoder(config.encoder, device=device)
    model, tokenizer, adapter = build(config, encoder.width, device)
    with _progress() as progress:
        pool = VectorPool(_fast(encoder))
        data, checked = make_data(config, pool, progress, deadline=started + 60 * config.time_limit * PRIOR_SHARE * 0.7)
        prior_report = prior_stage(config, adapter, data, checked, pool, progress, started)
        steps = 0
        if config.stage != "prior":
            steps = attention_stage(config, adapter, model, tokenizer, data, pool, progress, end)
    card = {
        "settings": config.card(),
        "questions": len(data),
        "steps": steps,
        "minutes": round((time.monotonic() - started) / 60, 1),
        "prior_on_new_questions": {kind: round(share, 4) for kind, share in prior_report.items()},
        "commit": _commit(),
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "transformers", "sentence-transformers")},
        "command": f"python -m kblam_core train --out OUT --seed {config.seed} --steps {config.steps} "
        f"--time-limit {config.time_limit:g} --backbone {config.backbone} --encoder {config.encoder}",
    }
    object.__setattr__(adapter.config, "card", card)
    return adapter.cpu().save(config.out)


def build(config: TrainConfig, encoder_width: int, device: str) -> tuple[torch.nn.Module, object, KblamAdapter]:
    """The frozen backbone in the width it trains fastest with, its tokenizer, and a fresh adapter attached to it."""
    dtype = torch.bfloat16 if device == "cuda" or _has_bfloat16() else torch.float32
    model, tokenizer = load_backbone(config.backbone, dtype=dtype)
    model.to(device)
    shape = model.config
    layers = config.layers(shape.num_hidden_layers)
    adapter = KblamAdapter(
        AdapterConfig(
            backbone=find_backbone(config.backbone).name,
            encoder=config.encoder,
            encoder_width=encoder_width,
            hidden=shape.hidden_size,
            heads=shape.num_attention_heads,
            head_width=getattr(shape, "head_dim", None) or shape.hidden_size // shape.num_attention_heads,
            layers=layers,
        )
    )
    modules = decoder.attention_modules(model)
    width = adapter.config.heads * adapter.config.head_width
    adapter.start_queries_from([decoder.query_weight(modules[layer], width) for layer in layers])
    adapter.to(device)
    decoder.attach(model, adapter)
    return model, tokenizer, adapter


def make_data(config: TrainConfig, pool: VectorPool, progress: Progress, *, deadline: float) -> tuple[list[Prepared], list[Prepared]]:
    """Generated questions with their sentence vectors: for training, and a few on held-out entities to measure with."""
    cache = config.out / "questions.pkl"
    made_with = (config.seed, config.questions, config.encoder)
    if config.resume and cache.exists():
        with cache.open("rb") as file:
            known, vectors, data, checked = pickle.load(file)  # written below, by this command
        if known == made_with:
            pool.vectors = vectors
            return data, checked
    task = progress.add_task("questions", total=config.questions)
    held_out = Generator(config.seed + 1, held_out=True, max_triples=MAX_TABLE)
    checked = prepare(_draw(held_out, CHECKED), pool)
    generator = Generator(config.seed, max_triples=MAX_TABLE)
    data: list[Prepared] = []
    while len(data) < config.questions and (time.monotonic() < deadline or not data):
        data += prepare(_draw(generator, min(1200, config.questions - len(data))), pool)
        progress.update(task, completed=len(data))
    progress.update(task, total=len(data))
    part = cache.with_suffix(".part")
    with part.open("wb") as file:
        pickle.dump((made_with, pool.vectors, data, checked), file)
    part.replace(cache)
    return data, checked


def prior_stage(
    config: TrainConfig,
    adapter: KblamAdapter,
    data: list[Prepared],
    checked: list[Prepared],
    pool: VectorPool,
    progress: Progress,
    started: float,
) -> dict[str, float]:
    """Train the question prior, or take up the one in the output folder; returns how it does on held-out entities."""
    path = config.out / "prior.pt"
    prior = QuestionPrior(adapter.config.encoder_width)
    if (config.resume or config.stage == "attention") and path.exists():
        prior.load_state_dict(torch.load(path, weights_only=True))
    else:
        task = progress.add_task("question prior", total=config.prior_epochs * (len(data) // 64))
        train_prior(
            prior,
            data,
            pool,
            epochs=config.prior_epochs,
            seed=config.seed,
            deadline=started + 60 * config.time_limit * PRIOR_SHARE,
            report=lambda step, loss: progress.update(task, completed=step, description=f"question prior  loss {loss:.3f}"),
        )
        torch.save(prior.state_dict(), path)
    adapter.prior.load_state_dict(prior.state_dict())
    return judge_prior(prior, checked, pool)


def attention_stage(config, adapter, model, tokenizer, data, pool, progress: Progress, end: float) -> int:
    """Train the rest of the adapter until its steps or its time are spent."""
    task = progress.add_task("attention", total=config.steps)

    def report(step, losses) -> None:
        text = f"attention  answer {losses.answer:.3f}  own words {losses.own:.3f}  on the fact {losses.attention:.3f}"
        progress.update(task, completed=step, description=text)

    return train_attention(adapter, model, tokenizer, data, pool, config, deadline=end, report=report)


def _draw(generator: Generator, count: int) -> list:
    samples = []
    while len(samples) < count:
        samples += generator.samples(QUESTIONS_PER_TABLE)
    return samples[:count]


def _fast(encoder):
    """The encoder in bfloat16 where the processor computes in it: twice as fast, vectors equal to three digits."""
    if isinstance(encoder, LocalEncoder) and _has_bfloat16():
        encoder.half_width()
    return encoder


def _has_bfloat16() -> bool:
    if torch.cuda.is_available():
        return True
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return bool(supported())


def _commit() -> str:
    with contextlib.suppress(OSError):
        found = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=Path(__file__).parent
        )
        return found.stdout.strip()
    return ""


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        yield progress
