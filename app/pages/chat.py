"""The left half: the conversation, the question box, questions to click, options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import gradio as gr

from app.assets import script
from app.texts import static
from kblam_core import AskOptions

MODES = ("kblam", "paper", "no-copy", "no-prior", "no-reader", "no-shortlist")


@dataclass(frozen=True)
class ChatPage:
    """The components that handlers read and write."""

    banner: gr.HTML
    timer: gr.Timer
    chat: gr.Chatbot
    question: gr.Textbox
    ask: gr.Button
    stop: gr.Button
    notice: gr.HTML
    chips: gr.HTML
    mode: gr.Dropdown
    threshold: gr.Slider
    model: gr.Dropdown


def chat_page(models: Sequence[str]) -> ChatPage:
    """Lay out the chat inside the current column. models: names of those to choose from, the default first."""
    banner = gr.HTML("", elem_id="kb-banner")
    with gr.Column(elem_id="kb-chat-room"):  # keeps the place until the browser has fetched the part that draws the chat
        chat = gr.Chatbot(
            label=static("chat"),
            show_label=False,
            elem_id="kb-chat",
            height=520,
            placeholder="",
            latex_delimiters=[],
            buttons=[],
            feedback_options=None,
            allow_file_downloads=False,
            group_consecutive_messages=False,
            allow_tags=False,
        )
    with gr.Row(elem_id="kb-ask-row"):
        question = gr.Textbox(
            label=static("question"),
            show_label=False,
            container=False,
            placeholder=static("question_hint"),
            lines=1,
            max_lines=4,
            scale=5,
            elem_id="kb-question",
            autofocus=True,
        )
        ask = gr.Button(static("ask"), variant="primary", scale=1, min_width=90, elem_id="kb-ask")
        stop = gr.Button(static("stop"), variant="stop", scale=1, min_width=90, visible=False, elem_id="kb-stop")
    notice = gr.HTML("", elem_id="kb-notice")
    chips = gr.HTML(
        {"items": []},
        html_template='<div class="kb-chips"></div>',
        js_on_load=script("chips.js"),
        apply_default_css=False,
        elem_id="kb-examples",
    )
    with gr.Accordion(static("options"), open=False, elem_id="kb-options"):
        mode = gr.Dropdown(
            choices=list(MODES),
            value="kblam",
            label=static("mode"),
            info=static("mode_info"),
            filterable=False,
        )
        threshold = gr.Slider(0.05, 0.95, value=AskOptions().threshold, step=0.05, label=static("threshold"), info=static("threshold_info"))
        model = gr.Dropdown(
            choices=list(models),
            value=models[0],
            label=static("model"),
            info=static("model_info"),
            filterable=False,
            elem_id="kb-model",
        )
    timer = gr.Timer(1.0)
    return ChatPage(banner, timer, chat, question, ask, stop, notice, chips, mode, threshold, model)
