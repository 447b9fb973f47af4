"""Which column is which: shown when an imported file does not name its columns entity, property and value."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from app.texts import static


@dataclass(frozen=True)
class ImportPage:
    """The components that handlers read and write."""

    panel: gr.Column
    intro: gr.HTML
    layout: gr.Radio
    header: gr.Checkbox
    entity: gr.Dropdown
    property: gr.Dropdown
    value: gr.Dropdown
    result: gr.HTML
    confirm: gr.Button
    cancel: gr.Button


def import_page() -> ImportPage:
    """Lay out the hidden panel inside the facts tab."""

    def column(name: str) -> gr.Dropdown:
        return gr.Dropdown(choices=[], label=static(name), filterable=False, min_width=110, elem_id=f"kb-import-{name}")

    with gr.Column(visible=False, elem_id="kb-import-panel") as panel:
        intro = gr.HTML("", elem_id="kb-import-intro")
        layout = gr.Radio(choices=["long", "wide"], value="long", label=static("import_layout"), elem_id="kb-import-layout")
        header = gr.Checkbox(value=True, label=static("import_header"), elem_id="kb-import-header")
        with gr.Row():
            parts = [column(name) for name in ("entity", "property", "value")]
        result = gr.HTML("", elem_id="kb-import-result")
        with gr.Row():
            confirm = gr.Button(static("import_confirm"), variant="primary", size="sm", elem_id="kb-import-confirm")
            cancel = gr.Button(static("cancel"), size="sm", elem_id="kb-import-cancel")
    return ImportPage(panel, intro, layout, header, *parts, result, confirm, cancel)
