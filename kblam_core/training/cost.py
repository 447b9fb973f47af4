"""What training an adapter costs: computed from a backbone's shapes, without its weights, or measured by a few real steps.

The computation runs one training step on torch's meta device, which knows shapes and no numbers: autograd says which tensors it keeps,
the flop counter what it multiplies. Of the earlier stages, cross-encoder and question prior do not depend on
the backbone; the reader does and is not counted.
"""

import resource
import sys
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from kblam_core import decoder
from kblam_core.adapter import AdapterConfig, KblamAdapter
from kblam_core.backbones import find_backbone, has_bfloat16, load_backbone, read_config
from kblam_core.training.attention_stage import gradients, parameter_groups, save_activations
from kblam_core.training.batching import Batch
from kblam_core.training.config import TrainConfig

ENCODER_WIDTH = 384  # all-MiniLM-L6-v2
BF16, FLOAT32 = 2, 4
TRAINED_BYTES = 4 * FLOAT32  # of a trained parameter: itself, its gradient, and AdamW's two means
# The shapes of the known backbones' config.json, so that no download (for some, a gated one) is needed.
SHAPES = {
    "smollm2-135m": {"hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3}
    | {"intermediate_size": 1536, "vocab_size": 49152, "tie_word_embeddings": True},
    "llama-3.2-1b": {"hidden_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8}
    | {"intermediate_size": 8192, "vocab_size": 128256, "tie_word_embeddings": True},
    "llama-3-8b": {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8}
    | {"intermediate_size": 14336, "vocab_size": 128256, "tie_word_embeddings": False},
    "phi-3-mini": {"hidden_size": 3072, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32}
    | {"intermediate_size": 8192, "vocab_size": 32064, "tie_word_embeddings": False},
}


@dataclass(frozen=True)
class Texts:
    """The shape of a step's questions: tokens of the prompt and of the answer, facts of the table."""

    prompt: int = 48
    answer: int = 24
    triples: int = 96


@dataclass(frozen=True)
class Cost:
    """Of the attention stage, in bytes and floating point operations. parameters: of the frozen backbone; trained: of the adapter;
    activations: what a step's backward pass needs; sparing: the same with --checkpointing; flops: of one step, forward and backward."""

    backbone: str
    parameters: int
    trained: int
    activations: int
    sparing: int
    flops: float

    @property
    def weights(self) -> int:
        return BF16 * self.parameters

    @property
    def training(self) -> int:
        """Bytes of the adapter, its gradients and its optimizer."""
        return TRAINED_BYTES * self.trained

    def memory(self, *, checkpointing: bool = False) -> int:
        return self.weights + self.training + (self.sparing if checkpointing else self.activations)


@dataclass(frozen=True)
class Measured:
    """seconds: of a step; memory: at the peak, in bytes, of the GPU or of the whole process on a CPU."""

    seconds: float
    memory: int
    device: str


def shape_of(name: str):
    """The transformers config of a backbone: of the known ones without any download. Raises MissingWeightsError."""
    known = find_backbone(name).name
    if known not in SHAPES:
        return read_config(name)
    from transformers import LlamaConfig, Phi3Config

    if known == "phi-3-mini":
        return Phi3Config(**SHAPES[known], pad_token_id=0)
    return LlamaConfig(**SHAPES[known])


def compute(name: str, config: TrainConfig, texts: Texts = Texts()) -> Cost:
    """What a step of `config.batch_size` questions costs, in config.accumulate parts. Raises MissingWeightsError."""
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(shape_of(name), dtype=torch.bfloat16, attn_implementation="eager")
        adapter = fresh_adapter(name, model, config)
    model.eval().requires_grad_(False)
    decoder.attach(model, adapter)
    questions = -(-config.batch_size // config.accumulate)
    parameters = {part.untyped_storage()._cdata for part in (*model.parameters(), *adapter.parameters())}
    kept: dict[int, torch.UntypedStorage] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in parameters:
            kept[storage._cdata] = storage  # held, so that its number is not given to another one
        return tensor

    with FlopCounterMode(display=False) as counter:
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            loss = _meta_step(model, adapter, questions, texts)
        loss.backward()
    activations = sum(storage.nbytes() for storage in kept.values())
    layers = model.config.num_hidden_layers
    deep = layers - adapter.config.layers[0]  # below the first KB layer nothing needs a gradient
    tokens = texts.prompt + texts.answer
    # With checkpointing: every layer's input, the attention weights and logits that the losses read, and one layer while it is redone.
    inputs = deep * questions * tokens * model.config.hidden_size * BF16
    read = len(adapter.config.layers) * questions * adapter.config.heads * tokens * (tokens + texts.triples) * BF16
    logits = questions * texts.answer * model.config.vocab_size * FLOAT32
    return Cost(
        backbone=find_backbone(name).name,
        parameters=sum(part.numel() for part in model.parameters()),
        trained=sum(part.numel() for group in parameter_groups(adapter, config) for part in group["params"]),
        activations=activations,
        sparing=min(activations, inputs + read + logits + max(0, activations - logits) // deep),
        flops=float(counter.get_total_flops()) * config.accumulate,
    )


def fresh_adapter(name: str, model: torch.nn.Module, config: TrainConfig) -> KblamAdapter:
    """The adapter that `train` makes for a backbone, without the parts that the earlier stages train."""
    shape = model.config
    width = getattr(shape, "head_dim", None) or shape.hidden_size // shape.num_attention_heads
    layers = config.layers(shape.num_hidden_layers)
    backbone = find_backbone(name).name
    made = AdapterConfig(backbone, config.encoder, ENCODER_WIDTH, shape.hidden_size, shape.num_attention_heads, width, layers)
    return KblamAdapter(made)


def _meta_step(model: torch.nn.Module, adapter: KblamAdapter, questions: int, texts: Texts) -> Tensor:
    """A stand-in for attention_stage.forward, whose losses look at numbers: the same passes, a plain loss."""
    vectors = torch.empty(2, questions, texts.triples, ENCODER_WIDTH, device="meta")
    knowledge = adapter.knowledge(vectors[0], vectors[1], prior=torch.empty(questions, texts.triples, device="meta"))
    ids = torch.empty(questions, texts.prompt + texts.answer, dtype=torch.long, device="meta")
    # A ready mask: the one that transformers makes looks at numbers.
    mask = torch.empty(questions, 1, *[ids.shape[1]] * 2, dtype=model.dtype, device="meta")
    out = model.base_model(input_ids=ids, attention_mask=mask, knowledge=knowledge, output_attentions=True, use_cache=False)
    weights = torch.stack([out.attentions[layer][:, :, -texts.answer - 1 : -1, : texts.triples] for layer in adapter.config.layers])
    hidden = out.last_hidden_state[:, -texts.answer - 1 : -1]
    logits = decoder.output_logits(model, hidden.flatten(0, 1)).float()
    own = torch.log_softmax(logits, -1)[:, :1].sum()
    shares, mass = adapter.fact_shares(weights.float())
    gate = adapter.copy_probability(hidden, mass, torch.ones_like(mass), shares.amax(-1))
    return own + gate.sum() + shares.sum()


def measure(model: torch.nn.Module, adapter: KblamAdapter, config: TrainConfig, texts: Texts, *, steps: int = 3) -> Measured:
    """Real training steps on invented questions of that shape; the first one is not timed. The adapter must be attached."""
    device = next(adapter.parameters()).device
    if config.checkpointing:
        save_activations(model)
    adapter.prior.requires_grad_(False)
    optimizer = torch.optim.AdamW(parameter_groups(adapter, config))
    questions = -(-config.batch_size // config.accumulate)
    parts = [invented(questions, texts, model.config.vocab_size) for _ in range(config.accumulate)]
    started = time.perf_counter()
    for step in range(steps + 1):
        if step == 1:
            started = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        losses = gradients(adapter, model, parts, with_prior=True, weight=config.attention_loss)
        optimizer.step()
        float(losses.total)  # waits for a GPU
    seconds = (time.perf_counter() - started) / steps
    if device.type == "cuda":
        return Measured(seconds, torch.cuda.max_memory_allocated(device), torch.cuda.get_device_name(device))
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return Measured(seconds, peak, f"CPU, {torch.get_num_threads()} threads")


def measure_here(name: str, config: TrainConfig, texts: Texts) -> Measured:
    """Load the weights and measure. Raises MissingWeightsError."""
    wide = config.device == "cpu" or not torch.cuda.is_available()
    model, _ = load_backbone(name, dtype=torch.bfloat16 if not wide or has_bfloat16() else torch.float32)
    adapter = fresh_adapter(name, model, config)
    device = "cpu" if wide else "cuda"
    decoder.attach(model.to(device), adapter.to(device))
    return measure(model, adapter, config, texts)


def invented(questions: int, texts: Texts, vocabulary: int) -> Batch:
    """Random numbers in the shape of a batch whose every question is answered by its first fact."""
    length = texts.prompt + texts.answer
    ids = torch.randint(3, vocabulary, (questions, length))
    vectors = torch.nn.functional.normalize(torch.randn(2, questions, texts.triples, ENCODER_WIDTH), dim=-1)
    alive = torch.ones(questions, texts.answer, texts.triples, dtype=torch.bool)
    first = torch.zeros_like(alive)
    first[..., 0] = True
    return Batch(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        position_ids=torch.arange(length).expand(questions, -1),
        targets=ids[:, texts.prompt :],
        target_mask=torch.ones(questions, texts.answer),
        key_vectors=vectors[0],
        value_vectors=vectors[1],
        padding=torch.zeros(questions, texts.triples, dtype=torch.bool),
        prior=torch.zeros(questions, texts.triples),
        answerable=torch.full((questions,), 0.9),
        has_answer=torch.ones(questions, dtype=torch.bool),
        alive=alive,
        hit=first,
        fixed_copy=torch.full((questions, texts.answer), -1.0),
        gold=first,
    )
