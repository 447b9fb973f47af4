"""The lower part of the compare tab: two answers of the chat."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from app.texts import static


@dataclass(frozen=True)
class PairPage:
    """The components that handlers read and write."""

    hint: gr.HTML
    row: gr.Row
    first: gr.Dropdown
    second: gr.Dropdown
    result: gr.HTML
    difference: gr.Plot


def pair_page() -> PairPage:
    """Lay out the choice of two answers and what they show."""
    gr.Markdown(static("pair"), elem_id="kb-pair-title", container=False)
    hint = gr.HTML("", elem_id="kb-pair-hint")
    with gr.Row(visible=False, elem_id="kb-pair-row") as row:
        first = gr.Dropdown(choices=[], label=static("pair_first"), filterable=False, min_width=200, elem_id="kb-pair-first")
        second = gr.Dropdown(choices=[], label=static("pair_second"), filterable=False, min_width=200, elem_id="kb-pair-second")
    result = gr.HTML("", elem_id="kb-pair-result")
    difference = gr.Plot(label=static("difference"), visible=False, elem_id="kb-pair-map")
    return PairPage(hint, row, first, second, result, difference)
