"""The sizes of a loaded model, for people and pages that show them; needs no torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelShape:
    """encoder_width E numbers in a sentence vector; layers: the KB layers, of `depth` layers; heads H of head_width D each."""

    backbone: str
    encoder: str
    encoder_width: int
    depth: int
    layers: list[int]
    heads: int
    head_width: int
