"""A greeting or a word of thanks gets a polite reply, not a refusal: nothing was asked that a table could answer.

Only messages made of nothing but such words count; "hello, who runs it?" is a question.
"""

from kblam_core.lexical import words

LONGEST = 6  # words


def _folded(text: str) -> frozenset[str]:
    return frozenset(words(text).folded)


# In this order: "thanks, bye" is answered as thanks.
_TELLING = {
    "thanks": _folded("thanks thank thx cheers merci danke gracias grazie obrigado спасибо 谢"),
    "bye": _folded("bye goodbye adieu tschüss adios свидания пока"),
    "hello": _folded("hello hi hey hiya howdy greetings morning afternoon evening hallo bonjour salut hola ciao привет здравствуйте 好"),
}
_FILLING = _folded(
    "good day night there all everyone again you very much so a lot many see later great perfect большое добрый день до 你 well"
)
_KNOWN = _FILLING.union(*_TELLING.values())
_REPLIES = {
    "thanks": "You're welcome! Ask me more about the facts in the table.",
    "bye": "Goodbye! Come back with a question about the table any time.",
    "hello": "Hello! Ask me about the facts in the table.",
}


def polite_reply(message: str) -> str | None:
    """The reply to a greeting, thanks or goodbye; None for everything else."""
    found = set(words(message).folded)
    if not found or len(words(message).folded) > LONGEST or not found <= _KNOWN:
        return None
    return next((_REPLIES[kind] for kind, telling in _TELLING.items() if found & telling), None)
