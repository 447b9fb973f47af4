"""The training command: the cross-encoder, the question prior, then the attention; write an adapter with its card.

Everything is a function of the seed. Each part leaves a file in the output folder (cross.pt, and cross-checkpoint.pt until it is there,
questions.pkl, prior.pt, checkpoint.pt, metrics.jsonl), so that a run that was killed goes on where it was.
"""

import contextlib
import importlib.metadata
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from kblam_core import decoder
from kblam_core.adapter import AdapterConfig, KblamAdapter
from kblam_core.backbones import find_backbone, has_bfloat16, load_backbone
from kblam_core.cross_encoder import CrossShape
from kblam_core.encoders import LocalEncoder, SentenceEncoder, load_encoder
from kblam_core.memory import check_memory
from kblam_core.prior import QuestionPrior
from kblam_core.seam_check import check_seam
from kblam_core.training import files
from kblam_core.training.attention_stage import train_attention
from kblam_core.training.catalogue import Domain, load_catalogue
from kblam_core.training.config import TrainConfig
from kblam_core.training.cross_stage import is_left_out, train_cross
from kblam_core.training.memory_stage import remember
from kblam_core.training.people import load_people
from kblam_core.training.prior_stage import VectorPool, judge_prior, read_across, seen_in_an_epoch, train_prior
from kblam_core.training.questions import Questions, make_questions
from kblam_core.training.starting import starting_adapter
from kblam_core.training.team import Team
from kblam_core.training.tracking import Tracker
from kblam_core.wording_memory import WordingMemory

CROSS_SHARE, PRIOR_SHARE = 0.55, 0.75  # of the time limit, at most, until the cross-encoder and the question prior are done
PRIOR_RATE, GENTLE_RATE = 5e-3, 6e-4  # from scratch; going on from a trained prior
OWN = {"prior": "own table", "before": "own table before"}  # in the card, and in what prior_stage reports


def train(config: TrainConfig, *, force: bool = False) -> Path:
    """Train an adapter as `config` says and return its folder. Raises MissingWeightsError and the like; NotEnoughMemoryError where the
    backbone's weights alone do not fit, unless `force`.

    Started by torchrun or accelerate, the first process makes the files of the earlier stages, and all share the attention stage.
    """
    started = time.monotonic()
    end = started + 60 * config.time_limit
    device = ("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
    team, own_device = Team.join(cpu=device == "cpu", hours=1 + config.time_limit / 60)
    device = str(own_device or device)
    if not force:
        check_memory(config.backbone, dtype=_dtype(config, device), device=device)
    torch.manual_seed(config.seed)
    config.out.mkdir(parents=True, exist_ok=True)
    encoder = _fast(load_encoder(config.encoder, device=device))
    model, tokenizer, adapter = build(config, encoder, device)
    minutes: dict[str, float] = {}

    def passed(stage: str) -> None:
        minutes[stage] = round((time.monotonic() - started) / 60 - sum(minutes.values()), 1)

    with _progress(shown=team.is_first) as progress:
        with team.first_alone():
            own = config if team.is_first else replace(config, resume=True)  # the others read what the first one has made
            cross_stage(own, adapter, encoder, progress, deadline=started + 60 * config.time_limit * CROSS_SHARE)
            passed("cross-encoder")
            pool = VectorPool(encoder)
            known = [domain for domain in load_catalogue() if not is_left_out(domain)]
            data = make_questions(own, pool, _memory(config, encoder, known), progress)
            passed("questions")
            if team.is_first:
                deadline = started + 60 * config.time_limit * PRIOR_SHARE
                prior_report = prior_stage(config, adapter, data, encoder, progress, deadline=deadline)
            else:
                adapter.prior.load_state_dict(torch.load(config.out / "prior.pt", weights_only=True))
            passed("prior")
        steps = 0
        if config.stage != "prior":
            steps = attention_stage(config, adapter, model, tokenizer, data.attention, pool, progress, end, team)
            passed("attention")
    team.leave()
    if not team.is_first:
        return config.out
    adapter.remember(_memory(config, encoder, load_catalogue()))
    own = {}
    if config.kb:
        own = {"share": config.kb_share}
        own |= {name: round(prior_report.pop(key), 4) for name, key in OWN.items() if key in prior_report}
    card = {
        "settings": config.card(),
        "questions": {"prior": len(data.prior), "attention": len(data.attention)},
        "steps": steps,
        "minutes": minutes,
        **({"own_table": own} if own else {}),
        "prior_on_new_entities": {kind: round(share, 4) for kind, share in prior_report.items()},
        **({"started_from": Path(config.start_from).name} if config.start_from else {}),
        "commit": _commit(),
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "transformers", "sentence-transformers")},
        "command": f"python -m kblam_core train --out OUT --seed {config.seed} --steps {config.steps} "
        f"--time-limit {config.time_limit:g} --backbone {config.backbone} --encoder {config.encoder}",
    }
    object.__setattr__(adapter.config, "card", card)
    return adapter.cpu().save(config.out)


def _dtype(config: TrainConfig, device: str) -> torch.dtype:
    narrow = config.precision == "bf16" or (config.precision == "auto" and (device.startswith("cuda") or has_bfloat16()))
    return torch.bfloat16 if narrow else torch.float32


def build(config: TrainConfig, encoder: SentenceEncoder, device: str) -> tuple[torch.nn.Module, object, KblamAdapter]:
    """The frozen backbone in the width it trains fastest with, its tokenizer, and an adapter attached to it: a fresh one, or that of
    config.start_from."""
    model, tokenizer = load_backbone(config.backbone, dtype=_dtype(config, device))
    model.to(device)
    shape = model.config
    layers = config.layers(shape.num_hidden_layers)
    adapter = KblamAdapter(
        AdapterConfig(
            backbone=find_backbone(config.backbone).name,
            encoder=config.encoder,
            encoder_width=encoder.width,
            hidden=shape.hidden_size,
            heads=shape.num_attention_heads,
            head_width=getattr(shape, "head_dim", None) or shape.hidden_size // shape.num_attention_heads,
            layers=layers,
            cross=cross_shape(encoder).to_dict() if config.cross_steps and cross_shape(encoder) else None,
        )
    )
    modules = decoder.attention_modules(model)
    width = adapter.config.heads * adapter.config.head_width
    adapter.start_queries_from([decoder.query_weight(modules[layer], width) for layer in layers])
    if config.start_from:
        adapter = starting_adapter(config.start_from, adapter)
    adapter.to(device)
    decoder.attach(model, adapter)
    check_seam(model, adapter)
    return model, tokenizer, adapter


def cross_shape(encoder: SentenceEncoder) -> CrossShape | None:
    """The upper half of a BERT reads pairs; an encoder that shows no token states (one over HTTP, say) has no cross-encoder."""
    found = encoder.layer_shape() if isinstance(encoder, LocalEncoder) else None
    if found is None or found[0] < 2:
        return None
    layers, heads, inner = found
    return CrossShape(below=layers // 2, layers=layers - layers // 2, heads=heads, inner=inner)


def cross_stage(config: TrainConfig, adapter: KblamAdapter, encoder, progress: Progress, *, deadline: float) -> None:
    """Train the cross-encoder, or take up the one in the output folder."""
    if adapter.cross is None or config.start_from:  # that of the adapter it starts from stays
        return
    path = config.out / "cross.pt"
    if (config.resume or config.stage == "attention") and path.exists():
        adapter.cross.load_state_dict(torch.load(path, weights_only=True))
        adapter.cross.eval()
        return
    checkpoint = config.out / "cross-checkpoint.pt"
    if not config.resume:
        checkpoint.unlink(missing_ok=True)
    adapter.cross.start_from(encoder.upper_layers(adapter.cross.shape.below))
    task = progress.add_task("cross-encoder", total=config.cross_steps)

    def report(step: int, loss: float) -> None:
        progress.update(task, completed=step, description=f"cross-encoder  loss {loss:.3f}")

    train_cross(
        adapter.cross,
        encoder,
        steps=config.cross_steps,
        seed=config.seed,
        people=[table for table in load_people() if not table.left_out],
        dtype=torch.bfloat16 if has_bfloat16() else None,
        deadline=deadline,
        report=report,
        checkpoint=checkpoint,
    )
    files.save(adapter.cross.state_dict(), path)
    checkpoint.unlink(missing_ok=True)


def _memory(config: TrainConfig, encoder: SentenceEncoder, domains: Sequence[Domain]) -> WordingMemory | None:
    return remember(encoder, domains, remembered=config.remembered) if config.remembered else None


def prior_stage(
    config: TrainConfig, adapter: KblamAdapter, data: Questions, encoder, progress: Progress, *, deadline: float
) -> dict[str, float]:
    """Train the question prior, or take up the one in the output folder; returns how it does on held-out entities."""
    path = config.out / "prior.pt"
    made = (config.resume or config.stage == "attention") and path.exists()
    dtype = torch.bfloat16 if has_bfloat16() else None
    parts = [*([] if made else [data.prior]), data.checked, data.own]  # a prior that is there needs no training questions
    task = progress.add_task("reading across", total=sum(map(len, parts)))
    for part in parts:
        for start in range(0, len(part), 120):
            read_across(part[start : start + 120], adapter.cross, encoder, dtype=dtype)
            progress.advance(task, len(part[start : start + 120]))
    prior = QuestionPrior()
    if config.start_from:
        prior.load_state_dict({name: tensor.cpu() for name, tensor in adapter.prior.state_dict().items()})
    before = judge_prior(prior, data.own)["all"] if config.start_from and data.own else None
    if made:
        prior.load_state_dict(torch.load(path, weights_only=True))
    else:
        task = progress.add_task("question prior", total=config.prior_epochs * (len(seen_in_an_epoch(data.prior)) // 64))
        train_prior(
            prior,
            data.prior,
            epochs=config.prior_epochs,
            seed=config.seed,
            rate=GENTLE_RATE if config.start_from else PRIOR_RATE,
            deadline=deadline,
            report=lambda step, loss: progress.update(task, completed=step, description=f"question prior  loss {loss:.3f}"),
        )
        files.save(prior.state_dict(), path)
    adapter.prior.load_state_dict(prior.state_dict())
    report = judge_prior(prior, data.checked)
    if data.own:
        report["own table"] = judge_prior(prior, data.own)["all"]
        report |= {} if before is None else {"own table before": before}
    return report


def attention_stage(config, adapter, model, tokenizer, data, pool, progress: Progress, end: float, team: Team) -> int:
    """Train the rest of the adapter until its steps or its time are spent."""
    task = progress.add_task("attention", total=config.steps)

    def report(step, losses) -> None:
        text = f"attention  answer {losses.answer:.3f}  own words {losses.own:.3f}  on the fact {losses.attention:.3f}"
        progress.update(task, completed=step, description=text)
        if tracker:
            tracker.log(step, losses)

    tracker = Tracker(config) if config.trackio and team.is_first else None
    steps = train_attention(adapter, model, tokenizer, data, pool, config, deadline=end, report=report, team=team)
    if tracker:
        tracker.finish()
    return steps


def _fast(encoder):
    """The encoder in bfloat16 where the processor computes in it: twice as fast, vectors equal to three digits."""
    if isinstance(encoder, LocalEncoder) and has_bfloat16():
        encoder.half_width()
    return encoder


def _commit() -> str:
    with contextlib.suppress(OSError):
        found = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=Path(__file__).parent
        )
        return found.stdout.strip()
    return ""


@contextlib.contextmanager
def _progress(*, shown: bool = True) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=not shown) as progress:
        yield progress
