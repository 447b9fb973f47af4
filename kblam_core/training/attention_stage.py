"""Third stage of training: key and value maps, query heads, prior scales and the copy gate, with the frozen backbone in the loop."""

import itertools
import json
import math
import os
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from kblam_core.adapter import KblamAdapter
from kblam_core.decoder import output_logits
from kblam_core.training import files
from kblam_core.training.batching import Batch, Batcher
from kblam_core.training.config import TrainConfig
from kblam_core.training.losses import Counts, Losses, attention_losses
from kblam_core.training.prepared import Prepared
from kblam_core.training.starting import SLOWER
from kblam_core.training.team import Team

CHECKPOINT_EVERY = 50


def forward(
    adapter: KblamAdapter, model: torch.nn.Module, batch: Batch, *, with_prior: bool, weight: float, counts: Counts | None = None
) -> Losses:
    """One forward pass of backbone and adapter; counts: of the whole step where the batch is a part of it."""
    answer = batch.targets.shape[1]
    knowledge = adapter.knowledge(batch.key_vectors, batch.value_vectors, prior=batch.prior if with_prior else None, padding=batch.padding)
    out = model.base_model(
        input_ids=batch.input_ids,
        attention_mask=batch.attention_mask,
        position_ids=batch.position_ids,
        knowledge=knowledge,
        output_attentions=True,
        use_cache=False,
    )
    size = knowledge.keys.shape[-2]
    # The position before a token produces it: drop the last, keep the prompt's last.
    weights = torch.stack([out.attentions[layer][:, :, -answer - 1 : -1, :size] for layer in adapter.config.layers])
    hidden = out.last_hidden_state[:, -answer - 1 : -1]
    real = batch.target_mask.bool()
    log_own = torch.zeros(real.shape, device=hidden.device)
    logits = output_logits(model, hidden[real]).float()  # (answer tokens of the batch, vocabulary)
    log_own[real] = torch.log_softmax(logits, -1).gather(-1, batch.targets[real][:, None]).squeeze(-1)
    return attention_losses(adapter, batch, log_own, hidden, weights, with_prior=with_prior, weight=weight, counts=counts)


def gradients(
    adapter: KblamAdapter,
    model: torch.nn.Module,
    parts: Sequence[Batch],
    *,
    with_prior: bool,
    weight: float,
    team: Team = Team(),  # noqa: B008  (frozen)
) -> Losses:
    """Leave in the adapter the gradients of one step, whose questions come in `parts`, one after the other, and in every process of
    the team: the same gradients as of one large batch. Returns the step's losses."""
    trained = [parameter for parameter in adapter.parameters() if parameter.requires_grad]
    device = trained[0].device
    names = list(Losses.__dataclass_fields__)
    counts = Counts.of(parts)
    if team.size > 1:
        counts = Counts(*team.sum(torch.tensor([counts.importance, counts.tokens, counts.supervised], device=device)).tolist())
    total = torch.zeros(len(names), device=device)
    for part in parts:
        losses = forward(adapter, model, part.to(device), with_prior=with_prior, weight=weight, counts=counts)
        losses.total.backward()
        total += torch.stack([getattr(losses, name).detach() for name in names])
    team.sum_gradients(trained)
    return Losses(*team.sum(total))


def save_activations(model: torch.nn.Module) -> None:
    """Activation checkpointing: each layer's activations are computed again in the backward pass, not kept."""
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    for layer in getattr(model, "model", model).layers:
        # Each layer looks at its own flag. Its parts stay as they are: a frozen backbone trains without dropout.
        layer.training = True


def parameter_groups(adapter: KblamAdapter, config: TrainConfig) -> list[dict]:
    """Learning rates by kind of parameter; the question prior stays as the first stage left it."""
    maps = [*adapter.key_map.parameters(), *adapter.value_map.parameters()]
    queries = list(adapter.query_heads.parameters())
    gates = [*adapter.gate.parameters(), adapter.copy_mix, adapter.prior_offset]
    scales = list(adapter.prior_scale.parameters())
    pace = SLOWER if config.start_from else 1.0
    return [
        {"params": maps, "lr": pace * config.map_rate},
        {"params": queries, "lr": pace * config.query_rate},
        {"params": gates, "lr": pace * config.gate_rate},
        {"params": scales, "lr": pace * config.query_rate},
    ]


def train_attention(
    adapter: KblamAdapter,
    model: torch.nn.Module,
    tokenizer,
    data: list[Prepared],
    pool,
    config: TrainConfig,
    *,
    deadline: float,
    report: Callable[[int, Losses], None] = lambda step, losses: None,
    team: Team = Team(),  # noqa: B008  (frozen)
) -> int:
    """Train `adapter` in place until config.steps or `deadline` (time.monotonic()); returns the number of steps made in all.

    With config.resume a checkpoint in config.out is taken up: parameters, optimizer, step, order of the data. The processes of a team
    share each step's questions; the first one keeps the files and the time.
    """
    for part in (adapter.prior, adapter.cross, adapter.reader):
        if part is not None:
            part.requires_grad_(False).eval()
    if config.checkpointing:
        save_activations(model)
    groups = parameter_groups(adapter, config)
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
    rates = [group["lr"] for group in groups]
    batcher = Batcher(tokenizer, pool, adapter, max_triples=config.max_triples, seed=config.seed)
    step, spent = 0, 0.0
    path = Path(config.out) / "checkpoint.pt"
    if config.resume and path.exists():
        saved = torch.load(path, map_location="cpu", weights_only=True)
        adapter.load_state_dict(saved["adapter"], strict=False)  # the earlier stages have files of their own
        optimizer.load_state_dict(saved["optimizer"])
        step, spent = saved["step"], saved["spent"]
        if team.is_first:
            files.trim_log(config.out / "metrics.jsonl", step)
    team.start_alike([parameter for group in groups for parameter in group["params"]])
    started = time.monotonic()
    left = team.as_first(deadline - started)
    path.parent.mkdir(parents=True, exist_ok=True)
    with Path(config.out / "metrics.jsonl" if team.is_first else os.devnull).open("a", encoding="utf-8") as log:
        while step < config.steps and (passed := team.as_first(time.monotonic() - started)) < left:
            items, with_prior = draw(data, config, step)
            # The rate falls with the steps or with the time, whichever is nearer to its end.
            done = max(step / config.steps, (spent + passed) / (spent + max(1.0, left)))
            factor = min(1.0, (step + 1) / 30) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            optimizer.zero_grad(set_to_none=True)
            parts = [batcher(part) for part in split(items[team.number :: team.size], config.accumulate)]
            losses = gradients(adapter, model, parts, with_prior=with_prior, weight=config.attention_loss, team=team)
            trained = [parameter for group in groups for parameter in group["params"] if parameter.grad is not None]
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            step += 1
            report(step, losses)
            line = {name: round(float(getattr(losses, name).detach()), 4) for name in Losses.__dataclass_fields__}
            log.write(json.dumps({"step": step, "prior": with_prior, "rate": round(factor, 4), **line}) + "\n")
            if step % CHECKPOINT_EVERY == 0 and team.is_first:
                log.flush()
                _save(path, adapter, optimizer, step, spent + time.monotonic() - started)
    if team.is_first:
        _save(path, adapter, optimizer, step, spent + time.monotonic() - started)
    return step


def split(items: list, parts: int) -> list[list]:
    """Neighbours stay together (they are of like table size); at most `parts` lists, none empty, as equal in length as can be."""
    cuts = [round(number * len(items) / parts) for number in range(parts + 1)]
    return [items[start:end] for start, end in itertools.pairwise(cuts) if end > start]


def draw(data: list[Prepared], config: TrainConfig, step: int) -> tuple[list[Prepared], bool]:
    """The batch of a step and whether it has the prior: a function of the seed and the step alone, so that a resumed run goes on as
    the interrupted one would have. Questions of like table size go together, which saves padding."""
    source = random.Random(f"{config.seed}-{step}")
    pivot = source.randrange(len(data))
    wide = sorted(source.sample(range(len(data)), min(len(data), 16 * config.batch_size)), key=lambda n: len(data[n].key_all))
    start = pivot % max(1, len(wide) - config.batch_size + 1)
    return [data[number] for number in wide[start : start + config.batch_size]], source.random() >= config.prior_drop


def _save(path: Path, adapter: KblamAdapter, optimizer: torch.optim.Optimizer, step: int, spent: float) -> None:
    trained = {name: tensor for name, tensor in adapter.state_dict().items() if not name.startswith(("prior.", "cross.", "reader."))}
    files.save({"adapter": trained, "optimizer": optimizer.state_dict(), "step": step, "spent": spent}, path)
