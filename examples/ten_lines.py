"""KBLaM as a library: a table of facts, a question, an edit, a question that no fact answers.

Run it at the root of the project: python -m examples.ten_lines
"""

from kblam_core import Kblam, KnowledgeBase, Triple

kblam = Kblam.load()
kb = KnowledgeBase(kblam.encoder, [Triple("Halden Workshop", "head", "Ingrid Solberg"), Triple("Laurel House", "founder", "Ana Reyes")])
print(kblam.ask(kb, "Who is the head of the Halden Workshop?").text)

kb.edit(0, Triple("Halden Workshop", "head", "Bjørn Aas"))
answer = kblam.ask(kb, "Who is the head of the Halden Workshop?")
print(answer.text, "| from:", answer.sources[0].entity, "/", answer.sources[0].property)
print(kblam.ask(kb, "Who founded Linden House?").refused)
