"""A tiny random backbone of each family learns to find the right one of 20 facts through its KB attention, without the question prior.

Real gradient steps of the real losses; afterwards the adapter is saved, loaded and asked through the facade, in the paper's mode. Quick,
because a batch is made once, words are tokens, and the backbones are 32 wide.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from kblam_core import decoder
from kblam_core.adapter import AdapterConfig, KblamAdapter
from kblam_core.answer import AskOptions
from kblam_core.model import Kblam
from kblam_core.prompt import REFUSAL, fact_sentence
from kblam_core.training.attention_stage import forward, parameter_groups
from kblam_core.training.batching import Batcher
from kblam_core.training.config import TrainConfig
from kblam_core.training.generator import Sample
from kblam_core.training.prepared import VectorPool, prepare
from kblam_core.training.prior_stage import read_across
from kblam_core.triples import Triple
from tests.core.tiny import ENCODER_WIDTH, FAMILIES, HEAD_WIDTH, HEADS, WIDTH, HashEncoder

ENTITIES = ("Arden", "Belmont", "Corvin", "Dunmore", "Elstow")
PROPERTIES = ("director", "budget", "colour", "age")
FACTS = tuple(Triple(entity, name, f"value{n}") for n, (entity, name) in enumerate(itertools.product(ENTITIES, PROPERTIES)))
WORDINGS = ("What is the {p} of {e} ?", "{e} {p}")
LAYERS = (1, 2)  # what layer 0 reads is the last token alone, which says nothing of the question
STEPS = 300


def word_tokenizer() -> PreTrainedTokenizerFast:
    """Words are tokens, and the chat template adds two: prompts of a few tokens."""
    split = pre_tokenizers.Whitespace()
    texts = [REFUSAL, *WORDINGS, *map(fact_sentence, FACTS)]
    words = ["<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<unk>"]
    words += dict.fromkeys(word for text in texts for word, _ in split.pre_tokenize_str(text))
    made = Tokenizer(models.WordLevel(vocab={word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = split
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=["<|im_start|>", "<|im_end|>"],
    )
    tokenizer.chat_template = (
        "{% for message in messages if message['role'] == 'user' %}<|im_start|>{{ message['content'] }}<|im_end|>{% endfor %}"
    )
    return tokenizer


def questions(wording: str) -> list[str]:
    return [wording.format(p=fact.property, e=fact.entity) for fact in FACTS]


def untrained(family: str) -> tuple[torch.nn.Module, KblamAdapter]:
    """A frozen random backbone and a fresh adapter, started as `train` starts it."""
    torch.manual_seed(0)
    config = FAMILIES[family]()
    config.initializer_range = 0.08  # attention that is nearly even: each token sees something of all earlier ones
    model = AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)
    adapter = KblamAdapter(AdapterConfig("tiny", HashEncoder.name, ENCODER_WIDTH, WIDTH, HEADS, HEAD_WIDTH, LAYERS))
    modules = decoder.attention_modules(model)
    adapter.start_queries_from([decoder.query_weight(modules[layer], HEADS * HEAD_WIDTH) for layer in LAYERS])
    return model, adapter


def learn(model: torch.nn.Module, adapter: KblamAdapter, tokenizer: PreTrainedTokenizerFast) -> None:
    """All questions of one wording in turn with those of the other, without the prior."""
    config = TrainConfig(out=Path("unused"), query_rate=0.1, map_rate=0.1)
    pool = VectorPool(HashEncoder())
    batcher = Batcher(tokenizer, pool, adapter, max_triples=len(FACTS), seed=0)
    batches = []
    for wording in WORDINGS:
        items = prepare([Sample(text, FACTS, (n,), "answerable", "") for n, text in enumerate(questions(wording))], pool)
        read_across(items, None, pool.encoder)
        batches.append(batcher(items))
    optimizer = torch.optim.AdamW(parameter_groups(adapter, config), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, total_iters=STEPS)
    for step in range(STEPS):
        losses = forward(adapter, model, batches[step % len(batches)], with_prior=False, weight=5.0)
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
        schedule.step()


def found(kblam: Kblam, wording: str) -> float:
    """Share of the facts that are on top of the KB attention when they are asked for."""
    kb = kblam.knowledge_base(FACTS)
    options = AskOptions(mode="paper", max_new_tokens=1)
    answers = [kblam.ask(kb, question, options=options) for question in questions(wording)]
    return sum(FACTS[answer.nearest[0].index] == fact for answer, fact in zip(answers, FACTS, strict=True)) / len(FACTS)


def test_a_tiny_backbone_learns_to_retrieve(family, tmp_path):
    tokenizer = word_tokenizer()
    model, adapter = untrained(family)
    fresh = adapter.save(tmp_path / "fresh", half=False)
    decoder.attach(model, adapter)
    learn(model, adapter, tokenizer)
    decoder.detach(model)
    kblam = Kblam(model, tokenizer, HashEncoder(), KblamAdapter.load(adapter.save(tmp_path / "trained")))
    assert min(found(kblam, wording) for wording in WORDINGS) > 0.9
    decoder.detach(model)
    untouched = Kblam(model, tokenizer, HashEncoder(), KblamAdapter.load(fresh))
    assert found(untouched, WORDINGS[0]) < 0.5, "it was training that did it"
