"""The table of facts: sample, search, editor, pages, import and export."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from app.assets import script
from app.pages.importing import ImportPage, import_page
from app.texts import static

TABLE = """
<div class="kb-table-box"><table class="kb-table">
<colgroup><col class="kb-col-number"><col class="kb-col-include"><col><col><col class="kb-col-value"><col class="kb-col-tools"></colgroup>
<thead><tr><th scope="col"><span class="kb-hidden">#</span></th>
<th scope="col"><input type="checkbox" class="kb-include-all" checked></th>
<th scope="col"><button type="button" class="kb-sort" data-label="entity"></button></th>
<th scope="col"><button type="button" class="kb-sort" data-label="property"></button></th>
<th scope="col"><button type="button" class="kb-sort" data-label="value"></button></th><td></td></tr></thead>
<tbody></tbody></table><p class="kb-table-note" hidden></p></div>
"""
SUFFIXES = [".csv", ".tsv", ".json", ".jsonl", ".xlsx"]


@dataclass(frozen=True)
class FactsPage:
    """The components that handlers read and write."""

    sample: gr.Dropdown
    search: gr.Textbox
    table: gr.HTML
    status: gr.HTML
    problems: gr.HTML
    pager: gr.Row
    previous: gr.Button
    place: gr.HTML
    next: gr.Button
    add: gr.Button
    undo: gr.Button
    redo: gr.Button
    start_over: gr.Button
    clear: gr.Button
    upload: gr.UploadButton
    export: gr.Button
    download: gr.HTML
    kept: gr.BrowserState
    importing: ImportPage


def facts_page() -> FactsPage:
    """Lay out the table inside the current tab."""
    with gr.Row(elem_id="kb-find-row"):
        sample = gr.Dropdown(choices=[], label=static("sample"), filterable=False, min_width=150, scale=1, elem_id="kb-sample")
        search = gr.Textbox(
            label=static("search"),
            placeholder=static("search_hint"),
            min_width=150,
            scale=1,
            max_lines=1,
            elem_id="kb-search",
        )
    importing = import_page()
    status = gr.HTML("", elem_id="kb-status")
    table = gr.HTML(
        {"rows": []},
        html_template=TABLE,
        js_on_load=script("facts.js"),
        apply_default_css=False,
        elem_id="kb-facts-table",
    )
    with gr.Row(visible=False, elem_id="kb-pager") as pager:
        previous = gr.Button(static("previous"), size="sm", min_width=80, elem_id="kb-previous")
        place = gr.HTML("", elem_id="kb-place", min_width=80)
        following = gr.Button(static("next"), size="sm", min_width=80, elem_id="kb-next")
    with gr.Row(elem_id="kb-tools"):
        add = gr.Button(static("add"), size="sm", variant="primary", min_width=100, elem_id="kb-add")
        undo = gr.Button(static("undo"), size="sm", min_width=80, interactive=False, elem_id="kb-undo")
        redo = gr.Button(static("redo"), size="sm", min_width=80, interactive=False, elem_id="kb-redo")
        clear = gr.Button(static("clear"), size="sm", min_width=90, elem_id="kb-clear-table")
        upload = gr.UploadButton(static("import"), size="sm", min_width=80, file_types=SUFFIXES, elem_id="kb-import")
        export = gr.Button(static("export"), size="sm", min_width=100, elem_id="kb-export")
        start_over = gr.Button(static("start_over"), size="sm", min_width=120, elem_id="kb-start-over")
    problems = gr.HTML("", elem_id="kb-problems")
    download = gr.HTML({}, html_template="<span hidden></span>", js_on_load=script("download.js"), elem_id="kb-download")
    # The secret is no secret: it only has to stay the same, so that a draft outlives a restart of the server.
    kept = gr.BrowserState(None, storage_key="kblam-playground-draft", secret="kblam-playground")
    return FactsPage(
        sample,
        search,
        table,
        status,
        problems,
        pager,
        previous,
        place,
        following,
        add,
        undo,
        redo,
        start_over,
        clear,
        upload,
        export,
        download,
        kept,
        importing,
    )
