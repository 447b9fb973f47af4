"""The compare tab: one question in five ways, and two answers of the chat."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from app.pages.pair import PairPage, pair_page
from app.texts import static


@dataclass(frozen=True)
class ComparePage:
    """The components that handlers read and write."""

    question: gr.Textbox
    start: gr.Button
    stop: gr.Button
    judge: gr.Dropdown
    result: gr.HTML
    pair: PairPage


def compare_page() -> ComparePage:
    """Lay out the comparison inside the current tab."""
    with gr.Row(elem_id="kb-compare-row"):
        question = gr.Textbox(
            label=static("question"),
            show_label=False,
            container=False,
            placeholder=static("compare_hint"),
            lines=1,
            max_lines=4,
            scale=5,
            elem_id="kb-compare-question",
        )
        start = gr.Button(static("compare_start"), variant="primary", scale=1, min_width=90, elem_id="kb-compare-start")
        stop = gr.Button(static("stop"), variant="stop", scale=1, min_width=90, visible=False, elem_id="kb-compare-stop")
    judge = gr.Dropdown(
        choices=["cited"],
        value="cited",
        label=static("judged_by"),
        info=static("judged_by_info"),
        visible=False,
        elem_id="kb-judge",
    )
    result = gr.HTML("", elem_id="kb-compare-result")
    pair = pair_page()
    return ComparePage(question, start, stop, judge, result, pair)
