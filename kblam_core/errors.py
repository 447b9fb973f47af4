"""The kinds of error a person can cause and cure.

Every message is one or two plain sentences: what was expected, what came, what to do next. The command line and the page
catch `KblamError` and show `str(error)`; anything else that reaches them is a bug. Each kind also derives from the builtin
that callers already catch.
"""

from __future__ import annotations


class KblamError(Exception):
    """Base of all errors that kblam_core raises on purpose."""


class InputError(KblamError, ValueError):
    """A table, a question or an option is not what was expected."""


class MissingWeightsError(KblamError, OSError):
    """Weights cannot be had: no network, no access, or the checksum differs."""


class ServiceError(KblamError, ConnectionError):
    """A service on the network cannot be reached or did not answer as it should."""


class UnsupportedModelError(KblamError, ValueError):
    """This language model or encoder cannot carry a KBLaM adapter."""


class NotEnoughMemoryError(KblamError, MemoryError):
    """A language model needs more memory than is free."""
