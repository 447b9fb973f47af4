"""The stages of a training run, each with its files in the output folder, its part of the time and its progress bar."""

import torch
from rich.progress import Progress

from kblam_core.adapter import KblamAdapter
from kblam_core.backbones import has_bfloat16
from kblam_core.prior import QuestionPrior
from kblam_core.reader import FactReader
from kblam_core.training import files
from kblam_core.training.attention_stage import train_attention
from kblam_core.training.config import TrainConfig
from kblam_core.training.cross_stage import train_cross
from kblam_core.training.people import load_people
from kblam_core.training.prior_stage import judge_prior, read_across, read_facts, seen_in_an_epoch, train_prior
from kblam_core.training.questions import Questions
from kblam_core.training.reader_stage import GENERATED, reader_items, train_reader
from kblam_core.training.team import Team
from kblam_core.training.tracking import Tracker

PRIOR_RATE, READ_RATE, GENTLE_RATE = 5e-3, 2e-3, 6e-4  # from scratch; then with the reader; going on from a trained prior


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


def reader_stage(
    config: TrainConfig, adapter: KblamAdapter, model: torch.nn.Module, tokenizer, encoder, progress: Progress, *, deadline: float
) -> FactReader | None:
    """Train the reader, or take up the one in the output folder."""
    if adapter.reader is None:
        return None
    reader = FactReader(model, tokenizer, adapter.reader)
    if config.start_from:  # that of the adapter it starts from stays
        return reader
    path, checkpoint = config.out / "reader.pt", config.out / "reader-checkpoint.pt"
    if (config.resume or config.stage == "attention") and path.exists():
        adapter.reader.load_state_dict(torch.load(path, weights_only=True))
        return reader
    if not config.resume:
        checkpoint.unlink(missing_ok=True)
    task = progress.add_task("questions of the reader", total=GENERATED)
    people, generated = reader_items(encoder, seed=config.seed, report=lambda made: progress.update(task, completed=made))
    task = progress.add_task("reader", total=config.reader_steps)
    train_reader(
        reader,
        people,
        generated,
        steps=config.reader_steps,
        seed=config.seed,
        deadline=deadline,
        report=lambda step, loss: progress.update(task, completed=step, description=f"reader  loss {loss:.3f}"),
        checkpoint=checkpoint,
    )
    files.save(adapter.reader.state_dict(), path)
    checkpoint.unlink(missing_ok=True)
    return reader


def prior_stage(
    config: TrainConfig,
    adapter: KblamAdapter,
    data: Questions,
    encoder,
    reader: FactReader | None,
    progress: Progress,
    *,
    deadline: float,
) -> dict[str, float]:
    """Train the question prior, first without the reader, which reads what looks best then, and after that with it; or take up the one in
    the output folder. Returns how it does on held-out entities."""
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

    def read() -> None:
        """What the reader says of the facts that look best to the prior as it is now."""
        for part in parts if reader else []:
            task = progress.add_task("reading facts", total=len(part))
            read_facts(part, prior, reader, report=lambda count, task=task: progress.update(task, completed=count))

    def learn(epochs: int, rate: float, what: str) -> None:
        task = progress.add_task(what, total=epochs * (len(seen_in_an_epoch(data.prior)) // 64))
        train_prior(
            prior,
            data.prior,
            epochs=epochs,
            seed=config.seed,
            rate=rate,
            deadline=deadline,
            report=lambda step, loss: progress.update(task, completed=step, description=f"{what}  loss {loss:.3f}"),
        )

    if config.start_from:
        prior.load_state_dict({name: tensor.cpu() for name, tensor in adapter.prior.state_dict().items()})
    if made:
        prior.load_state_dict(torch.load(path, weights_only=True))
    elif not config.start_from:
        learn(config.prior_epochs, PRIOR_RATE, "question prior")
    read()
    before = judge_prior(prior, data.own)["all"] if config.start_from and data.own else None
    if not made:
        if config.start_from:
            learn(config.prior_epochs, GENTLE_RATE, "question prior")
        elif reader:
            learn(config.read_epochs, READ_RATE, "question prior with the reader")
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
