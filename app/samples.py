"""The sample tables a visitor can pick, with questions to click: three that the table answers and one that it does not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kblam_core import Triple, read_table

FOLDER = Path(__file__).resolve().parent.parent / "assets" / "samples"


@dataclass(frozen=True)
class Sample:
    """One table of assets/samples; its title is the text "sample_{key}"."""

    key: str
    questions: tuple[str, ...]

    def triples(self) -> list[Triple]:
        return read_table(FOLDER / f"{self.key}.csv").triples


SAMPLES = {
    sample.key: sample
    for sample in (
        Sample(
            "workshop",
            (
                "Who runs the Halden Workshop?",
                "How much does the Corvin Lathe cost?",
                "What is the deadline of Project Heron?",
                "Who is the director of Linden House?",
            ),
        ),
        Sample(
            "clinic",
            (
                "What is Velorin for?",
                "What is the dosage of Nastrapol?",
                "Who is the head nurse of Ward Seven?",
                "What is the side effect of Oduvane?",
            ),
        ),
        Sample(
            "catalogue",
            (
                "How much is the Osier Backpack?",
                "Who designed the Pell Desk Lamp?",
                "What is the article number of the Brindle Kettle?",
                "What is the battery life of the Pell Desk Lamp?",
            ),
        ),
        Sample(
            "museum",
            (
                "Who made the Amber Astrolabe?",
                "When is the Thornbury Museum open?",
                "How heavy is the Clock of Nine Bells?",
                "Who is the director of the Harbour Museum?",
            ),
        ),
        Sample(
            "fantasy",
            (
                "What is the capital of the Kingdom of Orrin?",
                "What is the weakness of the Ashmere Dragon?",
                "Who leads the Order of the Lantern?",
                "How tall is Tobin Fenn?",
            ),
        ),
    )
}
DEFAULT = "workshop"
