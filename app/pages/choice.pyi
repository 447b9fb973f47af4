"""A dropdown whose choices change with the answer."""

import gradio as gr

from gradio.events import Dependency

class Choice(gr.Dropdown):
    """A choice that was there a moment ago is no error: the handler takes what is there now. (Gradio answers it with status 500, when
    an event is on its way while a new answer brings other layers and heads.)"""

    is_template = True  # drawn by the browser as its parent is

    def preprocess(self, payload):
        """What the browser sent, unchecked; handlers look it up among what the session holds."""
        return payload
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component