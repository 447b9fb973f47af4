"""The trained part of KBLaM: everything that is learned, kept outside the frozen backbone, in float32.

From the paper: one linear key map and one linear value map from sentence vectors to all KB layers, and one extra query projection per
KB layer. Beyond it: a scale and an offset with which each head adds the question prior, and a copy gate. The question prior itself is a
module of its own (prior.py), as are cross-encoder and reader that it draws on (cross_encoder.py, reader.py); all are stored in one file.

Shapes: B batch, T tokens, M triples, E sentence width, H heads, D head width, L KB layers.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from kblam_core.attention import LENGTH_SCALE, Knowledge, LayerKnowledge, log_scale
from kblam_core.cross_encoder import CrossEncoder, CrossShape
from kblam_core.errors import InputError, MissingWeightsError
from kblam_core.prior import QuestionPrior
from kblam_core.reader import ReaderShape, ReaderWeights
from kblam_core.wording_memory import WordingMemory

SCALE = ".int8_scale"  # follows the name of a matrix that is stored as int8
BYTES = ("cross.layers.", "cross.first.", "reader.layers.", "memory.", "key_map.", "value_map.", "query_heads.")  # stored as int8
READER, SMALL_READER = "reader.layers.", 1_000  # its many matrices are small, and still most of it
GATE_FEATURES = 3  # KB mass, the prior's probability that some fact answers, the share of the strongest fact


@dataclass(frozen=True)
class AdapterConfig:
    """What an adapter fits: its backbone and encoder, by name and by width. `card` holds how it was trained.

    The rest is for checkpoints of microsoft/KBLaM. key_norm: "head" normalises each head's keys, "all" one vector of all slots; slots:
    how many layers the maps are wide (None: the KB layers; further ones count for the norm only); length_scale: C of log C - log M, or
    None for neither; paper_only: holds no trained prior and no copy gate; prompt: what the backbone is shown, with {question} in it
    (None: the tokenizer's chat template).
    """

    backbone: str
    encoder: str
    encoder_width: int
    hidden: int
    heads: int
    head_width: int
    layers: tuple[int, ...]
    card: dict = field(default_factory=dict)
    cross: dict | None = None  # shape of the cross-encoder (CrossShape), None without one
    reader: dict | None = None  # shape of the reader (ReaderShape), None without one
    memory: dict | None = None  # sizes of the wording memory, None without one
    key_norm: str = "head"
    slots: int | None = None
    length_scale: float | None = LENGTH_SCALE
    paper_only: bool = False
    prompt: str | None = None

    def __post_init__(self) -> None:
        if self.key_norm not in ("head", "all"):
            raise InputError(f"key_norm must be 'head' or 'all', got {self.key_norm!r}.")
        if self.slots is not None and self.slots < len(self.layers):
            raise InputError(f"slots must be at least the number of layers ({len(self.layers)}), got {self.slots}.")
        if not self.layers or list(self.layers) != sorted(set(self.layers)):
            raise InputError(f"layers must be rising and not empty, got {self.layers}.")


class KblamAdapter(nn.Module):
    """Maps sentence vectors to knowledge, and hidden states to queries on it."""

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        self.config = config
        width = (config.slots or len(config.layers)) * config.heads * config.head_width
        self.key_map = nn.Linear(config.encoder_width, width)
        self.value_map = nn.Linear(config.encoder_width, width)
        # Here, so that the random start does not hang on how many weights the parts below have.
        nn.init.normal_(self.value_map.weight, std=0.02)
        nn.init.zeros_(self.value_map.bias)
        self.query_heads = nn.ModuleList(nn.Linear(config.hidden, config.heads * config.head_width, bias=False) for _ in config.layers)
        self.prior_scale = nn.ModuleList(nn.Linear(config.hidden, config.heads) for _ in config.layers)
        self.prior_offset = nn.Parameter(torch.zeros(len(config.layers), config.heads))
        self.copy_mix = nn.Parameter(torch.zeros(len(config.layers), config.heads))
        self.gate = nn.Linear(config.hidden + GATE_FEATURES, 1)
        self.prior = QuestionPrior()
        self.cross = CrossEncoder(config.encoder_width, CrossShape(**config.cross)) if config.cross else None
        self.reader = ReaderWeights(ReaderShape(**config.reader)) if config.reader else None
        self.memory = WordingMemory(config.encoder_width, **config.memory) if config.memory else None
        for scale in self.prior_scale:
            nn.init.zeros_(scale.weight)
            nn.init.ones_(scale.bias)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)

    def remember(self, memory: WordingMemory | None) -> None:
        """Take up a wording memory, or do without; also in the config."""
        self.memory = memory
        object.__setattr__(self.config, "memory", memory.sizes() if memory else None)

    def start_queries_from(self, weights: list[Tensor]) -> None:
        """Initialise the query heads from the backbone's own query weights, one (H*D, hidden) per KB layer."""
        with torch.no_grad():
            for head, weight in zip(self.query_heads, weights, strict=True):
                head.weight.copy_(weight.float())

    def knowledge(
        self, key_vectors: Tensor, value_vectors: Tensor, *, prior: Tensor | None = None, padding: Tensor | None = None
    ) -> Knowledge:
        """Sentence vectors (B, M, E) -> Knowledge. padding (B, M) is True where there is no triple."""
        layers, shape = len(self.config.layers), (-1, self.config.heads, self.config.head_width)
        keys = self.key_map(key_vectors)
        if self.config.key_norm == "all":
            keys = nn.functional.layer_norm(keys, keys.shape[-1:])
        keys = keys.unflatten(-1, shape)[:, :, :layers]  # (B, M, L, H, D)
        if self.config.key_norm == "head":
            keys = nn.functional.layer_norm(keys, keys.shape[-1:])
        values = self.value_map(value_vectors).unflatten(-1, shape)[:, :, :layers]
        batch, triples = key_vectors.shape[:2]
        sizes = torch.full((batch,), triples, device=keys.device) if padding is None else (~padding).sum(1)
        return Knowledge(
            keys=keys.permute(2, 0, 3, 1, 4),  # (L, B, H, M, D)
            values=values.permute(2, 0, 3, 1, 4),
            log_scale=log_scale(sizes, self.config.length_scale),
            prior=prior,
            padding=padding,
        )

    def layer_knowledge(self, slot: int, hidden: Tensor, knowledge: Knowledge) -> LayerKnowledge:
        """KB layer `slot` (0 .. L - 1) with hidden states (B, T, hidden): its query, keys, values and additive bias."""
        states = hidden.float()
        query = self.query_heads[slot](states).unflatten(-1, (self.config.heads, self.config.head_width))
        bias = knowledge.log_scale  # (B, 1, 1, 1)
        if knowledge.prior is not None:
            scale = self.prior_scale[slot](states).transpose(1, 2)[..., None]  # (B, H, T, 1)
            offset = self.prior_offset[slot][None, :, None, None]
            bias = bias + scale * knowledge.prior[:, None, None, :] + offset  # (B, H, T, M)
        if knowledge.padding is not None:
            bias = bias.masked_fill(knowledge.padding[:, None, None, :], torch.finfo(torch.float32).min)
        return LayerKnowledge(
            query=query.transpose(1, 2),
            keys=knowledge.keys[slot],
            values=knowledge.values[slot],
            bias=bias,
        )

    def fact_shares(self, kb_weights: Tensor) -> tuple[Tensor, Tensor]:
        """KB attention of all KB layers (L, B, H, T, M) -> (share of each fact within the table (B, T, M), KB mass (B, T)).

        Layers and heads are mixed with learned weights: some heads point at facts better than others.
        """
        mix = self.copy_mix.flatten().softmax(0).view_as(self.copy_mix)  # (L, H)
        mass = kb_weights.sum(-1).mean((0, 2))  # (B, T)
        within = kb_weights / kb_weights.sum(-1, keepdim=True).clamp_min(1e-9)
        return torch.einsum("lh,lbhtm->btm", mix, within.float()), mass

    def copy_probability(self, hidden: Tensor, mass: Tensor, answerable: Tensor, top_share: Tensor) -> Tensor:
        """The copy gate g: hidden (B, T, hidden) after the final norm, the rest (B, T); returns (B, T) in 0..1."""
        features = torch.stack([mass, answerable, top_share], dim=-1).float()
        return torch.sigmoid(self.gate(torch.cat([hidden.float(), features], dim=-1))).squeeze(-1)

    def save(self, folder: str | Path, *, half: bool = True) -> Path:
        """Write adapter.safetensors and adapter.json (config and card) into `folder`. With `half`, large matrices are float16, some
        of them (BYTES) int8 with one scale a row or column."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tensors: dict[str, Tensor] = {}
        for name, tensor in self.state_dict().items():
            large = half and tensor.ndim == 2 and tensor.numel() > (SMALL_READER if name.startswith(READER) else 10_000)
            if large and name.startswith(BYTES):
                # One scale a row; of the reader's tall matrices, whose rows are short, one a column.
                tall = name.startswith(READER) and tensor.shape[0] > tensor.shape[1]
                scale = tensor.abs().amax(0 if tall else 1, keepdim=True).clamp_min(1e-8) / 127
                tensors[name], tensors[name + SCALE] = (tensor / scale).round().to(torch.int8), scale.float()
            else:
                tensors[name] = tensor.half() if large else tensor.float()
        tensors = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
        save_file(tensors, folder / "adapter.safetensors")
        text = json.dumps(asdict(self.config), indent=1, ensure_ascii=False)
        (folder / "adapter.json").write_text(text + "\n", encoding="utf-8")
        return folder

    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that name these very weights (SHA-256 of all of them, as float32); a report carries them."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.float().cpu().numpy().tobytes())
        return digest.hexdigest()[:12]

    @classmethod
    def load(cls, folder: str | Path) -> "KblamAdapter":
        """Read an adapter from a local folder. Raises MissingWeightsError or InputError in words."""
        folder = Path(folder)
        try:
            config = json.loads((folder / "adapter.json").read_text(encoding="utf-8"))
            config["layers"] = tuple(config["layers"])
            adapter = cls(AdapterConfig(**config))
            with safe_open(folder / "adapter.safetensors", framework="pt") as file:
                state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
            for name in [name for name in state if name.endswith(SCALE)]:
                state[name.removesuffix(SCALE)] *= state.pop(name)
            adapter.load_state_dict(state)
        except FileNotFoundError as error:
            raise MissingWeightsError(
                f"No adapter in {folder}: it needs adapter.json and adapter.safetensors. Train one with `python -m kblam_core train`."
            ) from error
        except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
            raise InputError(f"The adapter in {folder} could not be read: {str(error).splitlines()[0]}") from error
        return adapter.eval().requires_grad_(False)
