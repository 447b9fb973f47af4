"""Take it along: an answer as a file, the page as a link."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from app.assets import script
from app.pages.choice import Choice
from app.texts import static

KINDS = ("json", "csv", "html")
LINK = '<div class="kb-link" hidden><input readonly><p class="kb-note" role="status"></p></div>'


@dataclass(frozen=True)
class SharePage:
    """The components that handlers read and write."""

    turn: Choice
    save: dict[str, gr.Button]
    copy: gr.Button
    link: gr.HTML
    notice: gr.HTML
    download: gr.HTML
    fragment: gr.Textbox


def share_page() -> SharePage:
    """Lay out the folded part below the chat's options."""
    with gr.Accordion(static("share"), open=False, elem_id="kb-share"):
        turn = Choice(choices=[], label=static("which_answer"), filterable=False, elem_id="kb-share-turn")
        with gr.Row(elem_id="kb-share-row"):
            save = {kind: gr.Button(static(f"save_{kind}"), size="sm", min_width=80, elem_id=f"kb-save-{kind}") for kind in KINDS}
            copy = gr.Button(static("copy_link"), size="sm", min_width=80, elem_id="kb-copy-link")
        notice = gr.HTML("", elem_id="kb-share-notice")
        link = gr.HTML({}, html_template=LINK, js_on_load=script("link.js"), apply_default_css=False, elem_id="kb-link")
        download = gr.HTML({}, html_template="<span hidden></span>", js_on_load=script("download.js"), elem_id="kb-share-download")
    fragment = gr.Textbox(visible=False)  # filled by a script when the page opens
    return SharePage(turn, save, copy, link, notice, download, fragment)
