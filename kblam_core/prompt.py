"""What the backbone is shown and what it is to say: the chat prompt, the sentence of a fact, the refusal.

The answer template and the refusal are the paper's. The prompt holds no fact: facts reach the model through attention only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kblam_core.prior import readable
from kblam_core.triples import Triple

SYSTEM = "You answer from a table of facts."
REFUSAL = "I am sorry I cannot find relevant information in the KB."
UNGROUNDED = "The table is empty, so no fact supports this; from memory the model alone says: "


def fact_sentence(triple: Triple) -> str:
    """ "The {property} of {entity} is {value}." The value stands in it character for character."""
    end = "" if triple.value.endswith((".", "!", "?", "。")) else "."
    return f"The {readable(triple.property)} of {triple.entity} is {triple.value}{end}"


@dataclass(frozen=True)
class Prompt:
    """Token ids of a prompt, and which of them are the question's: [start, end)."""

    ids: list[int]
    start: int
    end: int


def build_prompt(tokenizer, question: str, form: str | None = None) -> Prompt:
    """The chat prompt for a question: by the tokenizer's own template, or `form` with the question in place of {question}."""
    if form is None:
        text = chat_text(tokenizer, [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}])
    else:
        text = form.replace("{question}", question)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
    place = text.rfind(question.strip())
    first, last = place, place + len(question.strip())
    inside = [index for index, (left, right) in enumerate(offsets) if right > first and left < last and right > left]
    return Prompt(list(ids), inside[0] if inside else 0, inside[-1] + 1 if inside else len(ids))


def chat_text(tokenizer, messages: list[dict[str, str]]) -> str:
    """The chat as one string. Templates that know no system role get its text at the head of the first message; a tokenizer without
    a template (a base model) gets plain lines."""
    if tokenizer.chat_template is None:
        return "\n".join(message["content"] for message in messages) + "\n"
    try:
        return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    except Exception:  # jinja2's TemplateError, raised by templates that refuse a system message
        if messages[0]["role"] != "system":
            raise
        first = messages[1] | {"content": f"{messages[0]['content']}\n\n{messages[1]['content']}"}
        return tokenizer.apply_chat_template([first, *messages[2:]], tokenize=False, add_generation_prompt=True)


class Sentences:
    """Token ids of what can be copied, and of how an answer ends."""

    def __init__(self, tokenizer) -> None:
        self._tokenizer = tokenizer
        self.refusal = self._encode(REFUSAL)
        self.end: int = _end_of_turn(tokenizer)

    def fact(self, triple: Triple, *, first: bool = True) -> list[int]:
        """Token ids of the fact's sentence; a sentence that follows another one begins with a space."""
        text = fact_sentence(triple)
        return self._encode(text if first else " " + text)

    def facts(self, triples: Sequence[Triple], *, first: bool) -> Sequence[list[int]]:
        """As `fact`, for each triple, made when it is first looked at: most of a shortlist never is."""
        return _Lazily(triples, lambda triple: self.fact(triple, first=first))

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])


class _Lazily(Sequence):
    """The results of a function over items, each made once and on demand."""

    def __init__(self, items: Sequence, make: Callable) -> None:
        self._items, self._make = items, make
        self._made: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, number: int) -> list[int]:
        if number not in self._made:
            self._made[number] = self._make(self._items[number])
        return self._made[number]


def _end_of_turn(tokenizer) -> int:
    for token in ("<|im_end|>", "<|eot_id|>", "<|end|>", "<end_of_turn>"):
        number = tokenizer.convert_tokens_to_ids(token)
        if number is not None and number != tokenizer.unk_token_id:
            return number
    return tokenizer.eos_token_id
