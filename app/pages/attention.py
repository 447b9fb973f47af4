"""The attention tab: which answer, which words, which layer and head, and the heatmap."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from app.texts import static

TOP_K = 10


@dataclass(frozen=True)
class AttentionPage:
    """The components that handlers read and write."""

    intro: gr.HTML
    controls: gr.Column
    turn: gr.Dropdown
    rows: gr.Radio
    layer: gr.Dropdown
    head: gr.Dropdown
    top_k: gr.Slider
    plot: gr.Plot
    note: gr.HTML


def attention_page() -> AttentionPage:
    """Lay out the attention view inside the current tab."""
    intro = gr.HTML("", elem_id="kb-attention-intro")
    with gr.Column(visible=False, elem_id="kb-attention-controls") as controls:
        with gr.Row():
            turn = gr.Dropdown(
                choices=[],
                label=static("which_answer"),
                filterable=False,
                min_width=200,
                scale=3,
                elem_id="kb-turn",
            )
            top_k = gr.Slider(3, 30, value=TOP_K, step=1, label=static("top_k"), min_width=180, scale=2, elem_id="kb-top-k")
        with gr.Row():
            rows = gr.Radio(
                choices=["answer", "question"],
                value="answer",
                label=static("rows"),
                min_width=230,
                elem_id="kb-rows",
            )
            layer = gr.Dropdown(
                choices=["all"],
                value="all",
                label=static("layer"),
                filterable=False,
                min_width=90,
                elem_id="kb-layer",
            )
            head = gr.Dropdown(
                choices=["all"],
                value="all",
                label=static("head"),
                filterable=False,
                min_width=90,
                elem_id="kb-head",
            )
        plot = gr.Plot(show_label=False, elem_id="kb-heatmap")
    note = gr.HTML("", elem_id="kb-attention-note")
    return AttentionPage(intro, controls, turn, rows, layer, head, top_k, plot, note)
