"""A follow-up is completed with the entity talked about; any other question is left as it is."""

import pytest

from kblam_core.followup import complete
from kblam_core.knowledge_base import KnowledgeBase
from kblam_core.triples import Triple
from tests.core.tiny import HashEncoder

HISTORY = [("Who runs the Halden Workshop?", "The head of Halden Workshop is Ingrid Solberg.")]


@pytest.fixture
def kb() -> KnowledgeBase:
    return KnowledgeBase(HashEncoder(), [Triple("Halden Workshop", "head", "Ingrid Solberg"), Triple("Laurel House", "founder", "Bo")])


@pytest.mark.parametrize(
    ("question", "completed"),
    [
        ("and its budget?", "and Halden Workshop's budget?"),
        ("When was it founded?", "When was Halden Workshop founded?"),
        ("what about the founder?", "what about the founder of Halden Workshop?"),
        ("Who is the director of Linden House?", "Who is the director of Linden House?"),
        ("And who founded Laurel House, do they say?", "And who founded Laurel House, do they say?"),
        ("thanks", "thanks"),
        ("And Laurel House?", "Who runs Laurel House?"),
        ("And the name of Laurel House?", "And the name of Laurel House?"),
        ("what about laurel house", "Who runs laurel house?"),
        ("And Linden Hall?", "Who runs Linden Hall?"),
        ("And the founder?", "And the founder of Halden Workshop?"),
        ("And Founder?", "And Founder of Halden Workshop?"),
        ("And its way to Laurel House?", "And Halden Workshop's way to Laurel House?"),
        ("Who founded Laurel House and its library?", "Who founded Laurel House and its library?"),
    ],
)
def test_completes_only_what_points_back(kb: KnowledgeBase, question: str, completed: str) -> None:
    assert complete(kb, question, HISTORY) == completed


@pytest.mark.parametrize(
    ("asked", "answered", "question", "completed"),
    [
        ("How much Velortin?", "The founder of Velortin is Bo.", "And Laurel House?", "What is the founder of Laurel House?"),
        ("Whose idea was the mill?", "The Founder of mill is Bo.", "what about laurel house", "What is the founder of laurel house?"),
        ("What is the capital of New Spain?", "I am sorry.", "And Laurel House?", "What is the capital of Laurel House?"),
        ("What do I press on the Nimbus N8 Pro?", "I am sorry.", "And Laurel House?", "What do I press on the Laurel House?"),
        ("WHAT IS THE CAPITAL OF SPAIN?", "I am sorry.", "And Laurel House?", "And Laurel House?"),
        ("who made it", "I am sorry.", "And Laurel House?", "And Laurel House?"),
    ],
)
def test_a_bare_name_is_asked_what_was_answered_last(kb: KnowledgeBase, asked, answered, question, completed) -> None:
    assert complete(kb, question, [(asked, answered)]) == completed


@pytest.mark.parametrize("answered", ["The distance from the sun of Jupiter is 778 million km.", "I am sorry, the sun and Jupiter?"])
def test_the_fact_that_was_told_says_what_is_talked_about(answered) -> None:
    facts = [("Sun", "age", "old"), ("Jupiter", "distance from the sun", "5.2 AU"), ("Io", "planet", "Jupiter")]
    kb = KnowledgeBase(HashEncoder(), [Triple(*fact) for fact in facts])
    entity = "Jupiter" if answered.startswith("The") else "Sun"  # a refusal tells no fact: the first that is named
    history = [("How far away is it?", answered)]
    assert complete(kb, "How about the orbital period?", history) == f"How about the orbital period of {entity}?"
    assert complete(kb, "And its distance from the sun?", history) == f"And {entity}'s distance from the sun?"


def test_without_history_or_facts_nothing_changes(kb: KnowledgeBase) -> None:
    assert complete(kb, "and its budget?", []) == "and its budget?"
    assert complete(KnowledgeBase(HashEncoder()), "and its budget?", HISTORY) == "and its budget?"
