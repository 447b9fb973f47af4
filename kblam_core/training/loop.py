"""The training command: the cross-encoder, the reader, the question prior, then the attention; write an adapter with its card.

Everything is a function of the seed. Each part leaves a file in the output folder (cross.pt and reader.pt, and cross-checkpoint.pt and
reader-checkpoint.pt until they are there, questions.pkl, prior.pt, checkpoint.pt, metrics.jsonl), so that a run that was killed goes on
where it was.
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
from kblam_core.reader import ReaderShape
from kblam_core.seam_check import check_seam
from kblam_core.training.catalogue import Domain, load_catalogue
from kblam_core.training.config import TrainConfig
from kblam_core.training.cross_stage import is_left_out
from kblam_core.training.memory_stage import remember
from kblam_core.training.prepared import VectorPool
from kblam_core.training.questions import make_questions
from kblam_core.training.stages import attention_stage, cross_stage, prior_stage, reader_stage
from kblam_core.training.starting import starting_adapter
from kblam_core.training.team import Team
from kblam_core.wording_memory import WordingMemory

# Of the time limit, at most, until the cross-encoder, the reader and the question prior are done.
CROSS_SHARE, READER_SHARE, PRIOR_SHARE = 0.3, 0.65, 0.82
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
            reader = reader_stage(
                own, adapter, model, tokenizer, encoder, progress, deadline=started + 60 * config.time_limit * READER_SHARE
            )
            passed("reader")
            pool = VectorPool(encoder)
            known = [domain for domain in load_catalogue() if not is_left_out(domain)]
            data = make_questions(own, pool, _memory(config, encoder, known), progress)
            passed("questions")
            if team.is_first:
                deadline = started + 60 * config.time_limit * PRIOR_SHARE
                prior_report = prior_stage(config, adapter, data, encoder, reader, progress, deadline=deadline)
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
            reader=ReaderShape.of(model).to_dict() if config.reader_steps else None,
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


def _memory(config: TrainConfig, encoder: SentenceEncoder, domains: Sequence[Domain]) -> WordingMemory | None:
    return remember(encoder, domains, remembered=config.remembered) if config.remembered else None


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
