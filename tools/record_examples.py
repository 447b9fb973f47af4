"""Records the answers that the page shows as examples before the first question: `python -m tools.record_examples`.

Asks the shipped adapter the questions of app/recorded.py on a sample table and writes assets/recorded; run it after retraining.
"""

from __future__ import annotations

from app.guide import observe
from app.recorded import FOLDER, QUESTIONS, SAMPLE, write
from app.samples import SAMPLES
from app.session import Turn
from kblam_core import AskOptions, Kblam


def main() -> None:
    kblam = Kblam.load()
    facts = SAMPLES[SAMPLE].triples()
    kb = kblam.knowledge_base(facts)
    options = AskOptions(trace=True)
    for name, question in QUESTIONS.items():
        answer = kblam.ask(kb, question, options=options)
        turn = Turn(question, state=answer.state, text=answer.text, answer=answer, facts=facts, options=options)
        observe(turn, answer, kb, kblam.shape)
        path = FOLDER / f"{name}.npz"
        write(path, turn)
        print(f"{path.name}, {path.stat().st_size / 1000:.0f} KB: {question} {answer.text} ({answer.state})")


if __name__ == "__main__":
    main()
