"""The attention tab: the explorer of one answer first, then its heatmap, then the overview of all layers and heads."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from app.assets import script
from app.pages.choice import Choice
from app.texts import static

TOP_K = 10
EXPLORER = """
<div class="kb-explorer" hidden>
<div class="kb-say"><span class="kb-who" data-label="asked"></span><div class="kb-tokens" role="group"></div></div>
<div class="kb-say"><span class="kb-who" data-label="answered"></span><div class="kb-tokens" role="group"></div></div>
<p class="kb-live" role="status"></p>
<p class="kb-label kb-list-title"></p>
<ul class="kb-ranked"></ul>
<div class="kb-test">
<p><span class="kb-label" data-label="test_title"></span> <span class="kb-subject"></span></p>
<div class="kb-test-row"><button type="button" class="kb-leave-out" data-label="leave_out"></button>
<form class="kb-what-if"><label><span data-label="what_if"></span> <input type="text" maxlength="2000" autocomplete="off"></label>
<button type="submit" data-label="what_if_ask"></button></form></div>
</div></div>
"""
# Plotly draws the picture itself; twice the screen's resolution, on white, since the figure has no ground of its own.
SAVE_PNG = """() => {
  const plot = document.querySelector("#kb-heatmap .js-plotly-plot");
  if (!plot) return;
  const { width, height } = plot.getBoundingClientRect();
  window.Plotly.downloadImage(plot, { format: "png", filename: "attention", width, height, scale: 2, setBackground: "opaque" });
}"""


@dataclass(frozen=True)
class AttentionPage:
    """The components that handlers read and write."""

    intro: gr.HTML
    turn: Choice
    explorer: gr.HTML
    comparison: gr.HTML
    difference: gr.Accordion
    difference_plot: gr.Plot
    controls: gr.Column
    rows: gr.Radio
    layer: Choice
    head: Choice
    top_k: gr.Slider
    scale: gr.Dropdown
    same: gr.Checkbox
    plot: gr.Plot
    note: gr.HTML
    overview: gr.HTML


def attention_page() -> AttentionPage:
    """Lay out the attention view inside the current tab."""
    intro = gr.HTML("", elem_id="kb-attention-intro")
    turn = Choice(choices=[], label=static("which_answer"), filterable=False, visible=False, elem_id="kb-turn")
    explorer = gr.HTML({}, html_template=EXPLORER, js_on_load=script("explorer.js"), apply_default_css=False, elem_id="kb-explorer")
    comparison = gr.HTML("", elem_id="kb-comparison")
    with gr.Accordion(static("difference"), open=False, visible=False, elem_id="kb-difference") as difference:
        difference_plot = gr.Plot(show_label=False, elem_id="kb-difference-map")
    with gr.Column(visible=False, elem_id="kb-attention-controls") as controls:
        with gr.Row():
            layer = Choice(
                choices=["all"],
                value="all",
                label=static("layer"),
                filterable=False,
                min_width=110,
                elem_id="kb-layer",
            )
            head = Choice(
                choices=["all"],
                value="all",
                label=static("head"),
                filterable=False,
                min_width=110,
                elem_id="kb-head",
            )
            scale = gr.Dropdown(
                choices=["raw", "table", "row"],
                value="raw",
                label=static("scale"),
                filterable=False,
                min_width=230,
                scale=2,
                elem_id="kb-scale",
            )
        with gr.Row():
            rows = gr.Radio(
                choices=["answer", "question"],
                value="answer",
                label=static("rows"),
                min_width=275,
                elem_id="kb-rows",
            )
            top_k = gr.Slider(3, 50, value=TOP_K, step=1, label=static("top_k"), buttons=[], min_width=180, elem_id="kb-top-k")
            same = gr.Checkbox(True, label=static("same_colours"), min_width=160, elem_id="kb-same")
        plot = gr.Plot(show_label=False, elem_id="kb-heatmap")
        gr.Button(static("save_png"), size="sm", elem_id="kb-save-png").click(None, js=SAVE_PNG, api_visibility="private")
        note = gr.HTML("", elem_id="kb-attention-note")
        with gr.Accordion(static("overview"), open=False, elem_id="kb-overview-box"):
            overview = gr.HTML(
                {},
                html_template='<div class="kb-overview"></div>',
                js_on_load=script("overview.js"),
                apply_default_css=False,
                elem_id="kb-overview",
            )
    return AttentionPage(
        intro=intro,
        turn=turn,
        explorer=explorer,
        comparison=comparison,
        difference=difference,
        difference_plot=difference_plot,
        controls=controls,
        rows=rows,
        layer=layer,
        head=head,
        top_k=top_k,
        scale=scale,
        same=same,
        plot=plot,
        note=note,
        overview=overview,
    )
