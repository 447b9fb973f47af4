"""Kblam: the facade. Load a frozen backbone with its encoder and adapter, encode a table, ask it.

Everything that depends on a visitor's table travels as an argument: one loaded model serves any number of tables at once.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TypeVar

import numpy as np
import torch

from kblam_core import decoder
from kblam_core.adapter import KblamAdapter
from kblam_core.answer import MAX_QUESTION, Answer, AskOptions, Source, Timing
from kblam_core.backbones import DEFAULT_BACKBONE, find_backbone, load_backbone
from kblam_core.copying import CopyState
from kblam_core.decoding import Prefill, Step, decode, decode_plain
from kblam_core.encoders import SentenceEncoder, load_encoder
from kblam_core.errors import InputError, MissingWeightsError, UnsupportedModelError
from kblam_core.followup import complete
from kblam_core.hub import adapter_folder
from kblam_core.knowledge_base import KnowledgeBase
from kblam_core.prompt import REFUSAL, UNGROUNDED, Sentences, build_prompt, chat_text
from kblam_core.ranking import answerable, own_probability, rank
from kblam_core.remote_encoder import recorded_name
from kblam_core.shape import ModelShape
from kblam_core.small_talk import polite_reply
from kblam_core.trace import TraceRecorder
from kblam_core.triples import Triple

Part = TypeVar("Part")
SHIPPED_ADAPTERS = Path(__file__).parent.parent / "assets" / "adapters"
UNGROUNDED_TOKENS = 96  # of an answer from an empty table
USED_SHARE = 0.2  # a fact whose share of the table's attention reaches this counts as used


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
        self._sentences = Sentences(tokenizer)
        self._lock = Lock()
        decoder.attach(backbone, adapter)

    @classmethod
    def load(
        cls,
        backbone: str = DEFAULT_BACKBONE,
        *,
        encoder: str | None = None,
        adapter: str | Path | None = None,
        device: str = "auto",
    ) -> "Kblam":
        """Load everything. `adapter` is a local folder or a repository on the Hub (default: the one shipped for the backbone).

        device: "auto" takes CUDA where it is there. Raises MissingWeightsError, UnsupportedModelError or InputError.
        """
        device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        found = find_backbone(backbone)
        folder = adapter_folder(adapter) if adapter else SHIPPED_ADAPTERS / found.name.replace("/", "--")
        if not folder.is_dir():
            raise MissingWeightsError(
                f"There is no adapter for '{found.name}' at {folder.name}. Train one with "
                f"`python -m kblam_core train --backbone {backbone} --out my-adapter` and pass it with --adapter my-adapter."
            )
        trained = KblamAdapter.load(folder)
        dtype = torch.bfloat16 if device == "cuda" else torch.float32
        model, tokenizer = load_backbone(backbone, dtype=dtype)
        return cls(model.to(device), tokenizer, load_encoder(encoder or trained.config.encoder, device=device), trained.to(device))

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
            yield Answer(reply, False, "small_talk", 0.0, 0.0, [], [], Timing(_ms(started), _ms(started), 0))
            return
        if not len(kb):
            yield from self._without_facts(question, options, started)
            return
        question = complete(kb, question, history)
        rows, logits = self.rank(kb, question, options=options)
        yield from self._generate(kb, question, rows, logits, options, started)

    def rank(
        self,
        kb: KnowledgeBase,
        question: str,
        *,
        options: AskOptions = AskOptions(),  # noqa: B008
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """The shortlist: rows of the base (most promising first) and their prior logits (None without the prior)."""
        return rank(kb, question, encoder=self.encoder, adapter=self.adapter, options=self._suited(options))

    def _suited(self, options: AskOptions) -> AskOptions:
        """An adapter of plain KBLaM has but one mode: the default means that one, any other is an error."""
        if not self.adapter.config.paper_only or options.mode == "paper":
            return options
        if options.mode != "kblam":
            raise InputError(f"This adapter is plain KBLaM, which has the mode 'paper' only, not '{options.mode}'.")
        return replace(options, mode="paper")

    def _generate(
        self, kb: KnowledgeBase, question: str, rows: np.ndarray, logits: np.ndarray | None, options: AskOptions, started: float
    ) -> Iterator[str | Answer]:
        prompt = build_prompt(self.tokenizer, question, self.adapter.config.prompt)
        triples = [kb.triples[row] for row in rows]
        sure = None
        if logits is not None:
            # The threshold shifts the odds: at 0.5 they stay as they are.
            sure = answerable(logits, shift=np.log(options.threshold / (1 - options.threshold)))
        with torch.inference_mode():
            knowledge = self.adapter.knowledge(
                torch.from_numpy(kb.key_vectors[rows])[None].to(self.device),
                torch.from_numpy(kb.value_vectors[rows])[None].to(self.device),
                prior=None if logits is None else torch.from_numpy(logits)[None].to(self.device),
            )
        copy = self._copy_state(triples, logits) if options.copy else None
        recorder = None
        if options.trace:
            prior = None if logits is None else own_probability(logits, triples)
            recorder = TraceRecorder(self.kb_layers, self.num_heads, rows, prior)
        steps: list[Step] = []
        prefill: Prefill | None = None
        ids: list[int] = []
        text, first_at = "", None
        parts = decode(
            self.backbone,
            self.adapter,
            prompt,
            knowledge,
            copy=copy,
            answerable=sure,
            refusal=self._sentences.refusal,
            end=self._sentences.end,
            max_new_tokens=options.max_new_tokens,
        )
        for part in self._in_turns(parts):
            if isinstance(part, Prefill):
                prefill = part
                if recorder:
                    asked = [self._show(token) for token in prompt.ids[prompt.start : prompt.end]]
                    recorder.question(asked, part.kb_weights[:, :, prompt.start : prompt.end])
                continue
            first_at = first_at or _ms(started)
            steps.append(part)
            ids.append(part.token)
            if recorder:
                recorder.answer(self._show(part.token), part.kb_weights)
            whole = self.tokenizer.decode(ids, skip_special_tokens=True)
            if whole.endswith("\ufffd"):  # a character whose bytes are not all there yet
                continue
            if len(whole) > len(text):
                yield whole[len(text) :]
                text = whole
        timing = Timing(first_at or _ms(started), _ms(started), len(steps))
        refused = text.strip().startswith(REFUSAL[:20])
        shares = prefill.shares
        used = [] if refused else self._used(kb, rows, steps, copy)
        yield Answer(
            text=text.strip(),
            refused=refused,
            state="refused" if refused else "answered",
            kb_mass=float(np.mean([step.mass for step in steps])) if steps else 0.0,
            confidence=_confidence(steps, logits),
            sources=used,
            nearest=[_source(kb, rows, number, shares) for number in np.argsort(-shares, kind="stable")[:5]],
            timing=timing,
            trace=recorder.finish() if recorder else None,
        )

    def _in_turns(self, parts: Iterator[Part]) -> Iterator[Part]:
        """One token at a time under the lock: a stream whose reader pauses or goes away holds up nobody."""
        while True:
            with self._lock:
                part = next(parts, None)
            if part is None:
                return
            yield part

    def _copy_state(self, triples: list[Triple], logits: np.ndarray | None) -> CopyState:
        return CopyState(
            firsts=self._sentences.facts(triples, first=True),
            others=self._sentences.facts(triples, first=False),
            refusal=self._sentences.refusal,
            end=self._sentences.end,
            more=own_probability(logits, triples),
        )

    def _used(self, kb: KnowledgeBase, rows: np.ndarray, steps: list[Step], copy: CopyState | None) -> list[Source]:
        if not steps:
            return []
        shares = np.mean([step.shares for step in steps], axis=0)
        copied = copy.used if copy else []
        order = [*copied, *(n for n in np.argsort(-shares, kind="stable") if n not in copied and shares[n] >= USED_SHARE)]
        return [_source(kb, rows, number, shares) for number in (order if copied else order[:3])]

    def _show(self, token: int) -> str:
        return self.tokenizer.decode([token])

    def generate_text(self, messages: list[dict[str, str]], *, max_new_tokens: int = 64) -> tuple[str, Timing]:
        """The plain backbone without any knowledge, greedy; the baselines use it."""
        started, first_at, pieces = time.perf_counter(), 0.0, []
        for piece in self._speak(messages, max_new_tokens):
            first_at = first_at or _ms(started)
            pieces.append(piece)
        return "".join(pieces).strip(), Timing(first_at or _ms(started), _ms(started), len(pieces))

    def _speak(self, messages: list[dict[str, str]], max_new_tokens: int) -> Iterator[str]:
        """What the backbone alone says, a piece for every token (empty while a character is not whole)."""
        prompt = self.tokenizer(chat_text(self.tokenizer, messages), add_special_tokens=False)["input_ids"]
        ids: list[int] = []
        text = ""
        for token in self._in_turns(decode_plain(self.backbone, prompt, end=self._sentences.end, max_new_tokens=max_new_tokens)):
            ids.append(token)
            whole = self.tokenizer.decode(ids, skip_special_tokens=True)
            ready = not whole.endswith("\ufffd")
            yield whole[len(text) :] if ready else ""
            text = whole if ready else text

    def _without_facts(self, question: str, options: AskOptions, started: float) -> Iterator[str | Answer]:
        """An empty table: the backbone answers from its memory, and says so first."""
        first_at = _ms(started)
        yield UNGROUNDED
        pieces = [UNGROUNDED]
        for piece in self._speak([{"role": "user", "content": question}], min(options.max_new_tokens, UNGROUNDED_TOKENS)):
            pieces.append(piece)
            if piece:
                yield piece
        timing = Timing(first_at, _ms(started), len(pieces) - 1)
        yield Answer("".join(pieces).strip(), False, "empty_table", 0.0, 0.0, [], [], timing)


def _checked(question: str) -> str:
    question = question.strip()
    if not question:
        raise InputError("The question is empty. Type a question about the facts of the table.")
    if len(question) > MAX_QUESTION:
        raise InputError(f"The question has {len(question):,} characters; at most {MAX_QUESTION:,} can be asked. Shorten it.")
    return question


def _confidence(steps: list[Step], logits: np.ndarray | None) -> float:
    if logits is not None:
        return answerable(logits)
    return 1.0 - steps[0].refusal if steps else 0.0


def _source(kb: KnowledgeBase, rows: np.ndarray, number: int, shares: np.ndarray) -> Source:
    triple = kb.triples[rows[number]]
    return Source(int(rows[number]), triple.entity, triple.property, triple.value, float(shares[number]))


def _ms(started: float) -> float:
    return 1000 * (time.perf_counter() - started)
