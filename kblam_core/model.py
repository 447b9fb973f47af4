"""Kblam: the facade. Load a frozen backbone with its encoder and adapter, encode a table, ask it.

Everything that depends on a visitor's table travels as an argument: one loaded model serves any number of tables at once.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from kblam_core import decoder
from kblam_core.adapter import KblamAdapter
from kblam_core.answer import MAX_QUESTION, Answer, AskOptions, Timing
from kblam_core.backbones import DEFAULT_BACKBONE, find_backbone, load_backbone
from kblam_core.encoders import SentenceEncoder, load_encoder
from kblam_core.errors import InputError, MissingWeightsError, UnsupportedModelError
from kblam_core.followup import complete
from kblam_core.hub import adapter_folder
from kblam_core.knowledge_base import KnowledgeBase
from kblam_core.memory import check_memory
from kblam_core.precision import pick_dtype, quantization_config
from kblam_core.ranking import rank, rank_many
from kblam_core.reader import FactReader
from kblam_core.remote_encoder import recorded_name
from kblam_core.seam_check import check_seam
from kblam_core.shape import ModelShape
from kblam_core.small_talk import polite_reply
from kblam_core.triples import Triple
from kblam_core.two_facts import in_parts
from kblam_core.writer import Writer, since

RANKED_TOGETHER = 64  # questions of ask_many
SHIPPED_ADAPTERS = Path(__file__).parent.parent / "assets" / "adapters"


class Kblam:
    """A frozen backbone that reads knowledge bases through its adapter."""

    def __init__(self, backbone: torch.nn.Module, tokenizer, encoder: SentenceEncoder, adapter: KblamAdapter) -> None:
        if recorded_name(adapter.config.encoder) != encoder.name:
            raise UnsupportedModelError(
                f"The adapter was trained with the encoder '{adapter.config.encoder}', not with '{encoder.name}'. "
                "Use that encoder, or train an adapter for this one."
            )
        if adapter.config.encoder_width != encoder.width:
            raise UnsupportedModelError(
                f"The adapter was trained with '{encoder.name}' {adapter.config.encoder_width} wide, but the encoder of that name is now "
                f"{encoder.width} wide: it is another model. Use the former one, or train an adapter for this one."
            )
        if adapter.config.hidden != backbone.config.hidden_size:
            raise UnsupportedModelError(
                f"The adapter fits a backbone of width {adapter.config.hidden} ({adapter.config.backbone}), "
                f"but this one has width {backbone.config.hidden_size}."
            )
        self.backbone = backbone
        self.tokenizer = tokenizer
        self.encoder = encoder
        self.adapter = adapter.eval()
        self._writer = Writer(backbone, tokenizer, adapter)
        decoder.attach(backbone, adapter)
        self._reader = FactReader(backbone, tokenizer, adapter.reader) if adapter.reader else None

    @classmethod
    def load(
        cls,
        backbone: str | None = None,
        *,
        encoder: str | None = None,
        adapter: str | Path | None = None,
        device: str = "auto",
        dtype: str = "auto",
        quantize: str | None = None,
        force: bool = False,
    ) -> "Kblam":
        """Load everything. `adapter` is a local folder or a repository on the Hub (default: the one shipped for the backbone).

        backbone: by default the one that the adapter was trained for. device: "auto" takes CUDA where it is there. dtype: "auto",
        "float32", "bfloat16" or "float16". quantize: "4bit" or "8bit" (CUDA, bitsandbytes). force: load it even where memory is short.
        Raises MissingWeightsError, UnsupportedModelError, InputError or NotEnoughMemoryError.
        """
        device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        number_type = pick_dtype(dtype, device=device)
        quantization = quantization_config(quantize, device=device, dtype=number_type) if quantize else None
        trained = KblamAdapter.load(adapter_folder(adapter)) if adapter else _shipped(backbone or DEFAULT_BACKBONE)
        name = backbone or (trained.config.backbone if adapter else DEFAULT_BACKBONE)
        if not force:
            check_memory(name, dtype=number_type, device=device, quantize=quantize)
        model, tokenizer = load_backbone(name, dtype=number_type, quantization=quantization, device=device)
        model = model if quantize else model.to(device)
        made = cls(model, tokenizer, load_encoder(encoder or trained.config.encoder, device=device), trained.to(device))
        check_seam(made.backbone, made.adapter)
        return made

    @property
    def backbone_name(self) -> str:
        """As the adapter records it."""
        return self.adapter.config.backbone

    @property
    def kb_layers(self) -> list[int]:
        """Numbers of the backbone's layers that have a KB branch."""
        return list(self.adapter.config.layers)

    @property
    def num_heads(self) -> int:
        return self.adapter.config.heads

    @property
    def shape(self) -> ModelShape:
        """Names and sizes of what is loaded."""
        config = self.adapter.config
        return ModelShape(
            backbone=config.backbone,
            encoder=config.encoder,
            encoder_width=config.encoder_width,
            depth=int(self.backbone.config.num_hidden_layers),
            layers=self.kb_layers,
            heads=config.heads,
            head_width=config.head_width,
        )

    @property
    def context_window(self) -> int:
        """Tokens the backbone can read."""
        return int(self.backbone.config.max_position_embeddings)

    @property
    def device(self) -> torch.device:
        return next(self.adapter.parameters()).device

    def count_tokens(self, text: str) -> int:
        """Number of the backbone's tokens in a text."""
        return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def knowledge_base(self, triples: Sequence[Triple] = ()) -> KnowledgeBase:
        """Encode a table."""
        return KnowledgeBase(self.encoder, triples)

    def ask(
        self,
        kb: KnowledgeBase,
        question: str,
        *,
        history: Sequence[tuple[str, str]] = (),
        options: AskOptions = AskOptions(),  # noqa: B008  (frozen)
    ) -> Answer:
        """The whole answer at once; see `stream`."""
        for part in self.stream(kb, question, history=history, options=options):
            if isinstance(part, Answer):
                return part
        raise AssertionError("stream ends with an Answer")

    def stream(
        self,
        kb: KnowledgeBase,
        question: str,
        *,
        history: Sequence[tuple[str, str]] = (),
        options: AskOptions = AskOptions(),  # noqa: B008
    ) -> Iterator[str | Answer]:
        """Yield the answer's text in pieces, then one Answer. history: earlier (question, answer) turns, oldest first.

        Raises InputError for an empty or over-long question.
        """
        question = _checked(question)
        options = self._suited(options)
        started = time.perf_counter()
        if reply := polite_reply(question):
            yield reply
            yield Answer(reply, False, "small_talk", 0.0, 0.0, [], [], Timing(since(started), since(started), 0))
            return
        if not len(kb):
            yield from self._writer.without_facts(question, options, started)
            return
        question = complete(kb, question, history)
        rows, logits = self.rank(kb, question, options=options)
        yield from self._writer.from_facts(kb, question, rows, logits, options, started)

    def ask_many(
        self,
        kb: KnowledgeBase,
        questions: Sequence[str],
        *,
        histories: Sequence[Sequence[tuple[str, str]]] = (),
        options: AskOptions = AskOptions(),  # noqa: B008
    ) -> Iterator[Answer]:
        """The answers to many questions, in order and each as soon as it is there: those that `ask` gives them one by one.

        What the encoder does is done for RANKED_TOGETHER questions at once, answers are written one after the other; the timing of an
        answer counts its own share of that. histories: one for each question, or none at all. The table must not change meanwhile.
        Raises InputError, before anything is answered, for an empty or over-long question.
        """
        if histories and len(histories) != len(questions):
            raise InputError(f"There are {len(questions)} questions and {len(histories)} histories. Give one for each question, or none.")
        checked = [_checked(question, f"Question {number}") for number, question in enumerate(questions, start=1)]
        if histories:
            checked = [complete(kb, question, history) for question, history in zip(checked, histories, strict=True)]
        options = self._suited(options)
        parts = (checked[start : start + RANKED_TOGETHER] for start in range(0, len(checked), RANKED_TOGETHER))
        return (answer for part in parts for answer in self._answers(kb, part, options))

    def _answers(self, kb: KnowledgeBase, questions: Sequence[str], options: AskOptions) -> Iterator[Answer]:
        ranked_from = time.perf_counter()
        serious = [question for question in dict.fromkeys(questions) if len(kb) and not polite_reply(question)]
        tools = self._ranking_tools(options)
        wholes = rank_many(kb, serious, **tools) if serious else []
        ranked = in_parts(kb, serious, wholes, **tools)
        share = (time.perf_counter() - ranked_from) / max(len(serious), 1)
        shortlists = dict(zip(serious, ranked, strict=True))
        for question in questions:
            if question in shortlists:
                started = time.perf_counter() - share
                *_, answer = self._writer.from_facts(kb, question, *shortlists[question], options, started)
                yield answer
            else:
                yield self.ask(kb, question, options=options)

    def rank(
        self,
        kb: KnowledgeBase,
        question: str,
        *,
        options: AskOptions = AskOptions(),  # noqa: B008
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """The shortlist: rows of the base (most promising first) and their prior logits (None without the prior)."""
        tools = self._ranking_tools(self._suited(options))
        return in_parts(kb, [question], [rank(kb, question, **tools)], **tools)[0]

    def _ranking_tools(self, options: AskOptions) -> dict:
        return {"encoder": self.encoder, "adapter": self.adapter, "options": options, "reader": self._reader}

    def _suited(self, options: AskOptions) -> AskOptions:
        """An adapter of plain KBLaM has but one mode: the default means that one, any other is an error."""
        if not self.adapter.config.paper_only or options.mode == "paper":
            return options
        if options.mode != "kblam":
            raise InputError(f"This adapter is plain KBLaM, which has the mode 'paper' only, not '{options.mode}'.")
        return replace(options, mode="paper")

    def generate_text(self, messages: list[dict[str, str]], *, max_new_tokens: int = 64) -> tuple[str, Timing]:
        """The plain backbone without any knowledge, greedy; the baselines use it."""
        started, first_at, pieces = time.perf_counter(), 0.0, []
        for piece in self._writer.plain(messages, max_new_tokens):
            first_at = first_at or since(started)
            pieces.append(piece)
        return "".join(pieces).strip(), Timing(first_at or since(started), since(started), len(pieces))


def _shipped(backbone: str) -> KblamAdapter:
    """The adapter that comes with the project for a backbone. Raises MissingWeightsError, UnsupportedModelError."""
    found = find_backbone(backbone)
    folder = SHIPPED_ADAPTERS / found.name.replace("/", "--")
    if not folder.is_dir():
        raise MissingWeightsError(
            f"There is no adapter for '{found.name}'. Train one with "
            f"`python -m kblam_core train --backbone {backbone} --out my-adapter` and pass it with --adapter my-adapter."
        )
    return KblamAdapter.load(folder)


def _checked(question: str, name: str = "The question") -> str:
    question = question.strip()
    if not question:
        raise InputError(f"{name} is empty. Type a question about the facts of the table.")
    if len(question) > MAX_QUESTION:
        raise InputError(f"{name} has {len(question):,} characters; at most {MAX_QUESTION:,} can be asked. Shorten it.")
    return question
