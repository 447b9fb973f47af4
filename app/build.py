"""Puts the pages together and wires them. `build_app(host)` makes the Blocks; `launch_options()` what launch() needs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gradio as gr

from app.assets import HEAD, STYLES
from app.guide import latest as latest_guide
from app.handlers import api, attention, causal, chat, compare, completions, importing, pair, share, table
from app.host import ModelHost
from app.link import read_link
from app.models import Models
from app.pages.attention import AttentionPage, attention_page
from app.pages.chat import MODES, ChatPage, chat_page
from app.pages.compare import ComparePage, compare_page
from app.pages.facts import FactsPage, facts_page
from app.pages.pair import PairPage
from app.pages.share import SharePage, share_page
from app.recorded import examples
from app.samples import SAMPLES
from app.session import Session
from app.texts import I18N, pick_language, say, static
from app.theme import theme
from kblam_core import InputError
from kblam_core.trace import SCALES

QUIET = {"api_visibility": "private", "show_progress": "hidden"}
NOW = {**QUIET, "queue": False}  # handlers that need no model never wait behind one
MODEL = {"concurrency_limit": 1, "concurrency_id": "model"}
MAX_WAITING = 64
MAX_UPLOAD = "20mb"


def build_app(host: ModelHost, *others: ModelHost) -> gr.Blocks:
    """The page over model hosts of different names, the default first. Makes no network call and does not load a model."""
    models = Models([host, *others])
    with gr.Blocks(title="KBLaM Playground", analytics_enabled=False) as blocks:
        session = gr.State(Session())
        with gr.Column(elem_id="kb-header"):
            gr.HTML("<h1>KBLaM Playground</h1>")
            gr.Markdown(static("lead"))
        with gr.Row(elem_id="kb-columns"):
            with gr.Column(scale=5, min_width=340, elem_id="kb-left"):
                left = chat_page(models.names)
                sharing = share_page()
            with gr.Column(scale=6, min_width=340, elem_id="kb-right"), gr.Tabs(elem_id="kb-tabs"):
                with gr.Tab(static("facts"), id="facts"):
                    facts = facts_page()
                with gr.Tab(static("attention"), id="attention"):
                    right = attention_page()
                with gr.Tab(static("compare"), id="compare"):
                    comparing = compare_page()
                with gr.Tab(static("how"), id="how"):
                    guide = gr.HTML("", elem_id="kb-guide")
                    how = gr.Markdown("", elem_id="kb-how")
        _wire_table(session, facts, left)

        def follow(event) -> None:
            """Bring all views of the answers up to date after `event`."""
            event.then(attention.latest, [session, *view_inputs(right)], attention_view(right), **NOW)
            event.then(share.answers, session, sharing.turn, **NOW)
            event.then(latest_guide, session, guide, **NOW)
            event.then(pair.latest, session, pair_view(comparing.pair), **NOW)

        _wire_chat(session, facts, left, comparison_view(right), follow, models)
        _wire_share(session, facts, left, sharing)
        _wire_compare(session, facts, left, comparing, models)
        _wire_attention(session, right, models)
        follow(_wire_start(blocks, session, facts, left, right, sharing, how, models))
        gr.api(api.make_ask(host), api_name="ask", api_visibility="public", **MODEL)
    blocks.queue(max_size=MAX_WAITING)
    return blocks


def launch_options(host: ModelHost | None = None) -> dict[str, Any]:
    """Arguments for Blocks.launch() that belong to the page, not to the machine; with a host also the endpoints under /v1."""
    return {
        "app_kwargs": {"routes": completions.routes(host)} if host else None,
        "theme": theme(),
        "css_paths": STYLES,
        "head": HEAD,
        "i18n": I18N,
        "ssr_mode": False,
        "run_history": False,
        "max_file_size": MAX_UPLOAD,
        "footer_links": ["api"],
    }


def table_view(facts: FactsPage) -> list:
    """The outputs of handlers.table.view, in its order."""
    return [
        facts.table,
        facts.status,
        facts.problems,
        facts.pager,
        facts.previous,
        facts.place,
        facts.next,
        facts.undo,
        facts.redo,
        facts.kept,
        facts.search,
    ]


def attention_view(right: AttentionPage) -> list:
    """The outputs of handlers.attention.latest, in its order."""
    return [right.turn, right.intro, right.explorer, *comparison_view(right), right.controls, *map_view(right)]


def map_view(right: AttentionPage) -> list:
    """The outputs of handlers.attention.draw, in its order."""
    return [right.layer, right.head, right.plot, right.note, right.overview]


def view_inputs(right: AttentionPage) -> list:
    """What handlers.attention.View is made of, in its order."""
    return [right.rows, right.layer, right.head, right.top_k, right.scale, right.same]


def comparison_view(right: AttentionPage) -> list:
    """The outputs of handlers.causal, in its order."""
    return [right.comparison, right.difference, right.difference_plot]


def pair_view(page: PairPage) -> list:
    """The outputs of handlers.pair.latest, in its order."""
    return [page.hint, page.row, page.first, page.second, page.result, page.difference]


def _wire_table(session: gr.State, facts: FactsPage, left: ChatPage) -> None:
    given, shown = [session, facts.table], table_view(facts)
    every = {**NOW, "trigger_mode": "multiple"}  # the default drops a click that comes before the last answer
    facts.table.op(table.operate, given, shown, **every)
    facts.add.click(table.add, given, shown, **every)
    facts.undo.click(table.undo, given, shown, **every)
    facts.redo.click(table.redo, given, shown, **every)
    facts.start_over.click(table.start_over, given, [*shown, facts.sample, left.chips], **every)
    facts.clear.click(table.clear, given, shown, **every)
    facts.previous.click(table.previous, given, shown, **every)
    facts.next.click(table.following, given, shown, **every)
    # .change, not .input: pasting and autofill fire no .input
    facts.search.change(table.search, [*given, facts.search], shown, trigger_mode="always_last", **NOW)
    facts.sample.input(table.pick_sample, [*given, facts.sample], [*shown, left.chips], **NOW)
    _wire_import(session, facts)
    facts.export.click(table.export, given, facts.download, **NOW)


def _wire_import(session: gr.State, facts: FactsPage) -> None:
    page, given, shown = facts.importing, [session, facts.table], table_view(facts)
    choice = [page.layout, page.header, page.entity, page.property, page.value]
    panel = [page.panel, page.intro, *choice, page.result]
    facts.upload.upload(importing.import_file, [*given, facts.upload], [*shown, *panel], **NOW)
    for part in choice:
        part.input(importing.preview, [session, *choice], [page.intro, *choice[2:], page.result], trigger_mode="always_last", **NOW)
    page.confirm.click(importing.confirm, [*given, *choice], [*shown, *panel], **NOW)
    page.cancel.click(importing.cancel, session, panel, **NOW)


def _wire_chat(session: gr.State, facts: FactsPage, left: ChatPage, compared: list, follow: Callable, models: Models) -> None:
    opened = [left.chat, left.question, left.notice, left.ask, left.stop]
    given = [session, facts.table, left.question]

    def stream(session: Session, mode: str, threshold: float):
        yield from chat.stream(session, models.named(session.model), mode, threshold)

    def picked(session: Session, value: object, event: gr.EventData) -> tuple:
        result = chat.accept(session, value, str(event._data.get("text", "")))
        return (result[0], gr.skip(), *result[2:])

    def then_answer(event) -> None:
        event.then(causal.close, session, compared, **NOW)
        answered = event.then(
            stream,
            [session, left.mode, left.threshold],
            [left.chat, left.notice, left.ask, left.stop],
            # "once" would drop the next question's answer while a stopped one is still winding down.
            trigger_mode="multiple",
            **QUIET,
            **MODEL,
        )
        follow(answered)

    asking = {**NOW, "trigger_mode": "multiple"}
    then_answer(left.question.submit(chat.accept, given, opened, **asking))
    then_answer(left.ask.click(chat.accept, given, opened, **asking))
    then_answer(left.chips.pick(picked, [session, facts.table], opened, **asking))
    then_answer(left.chat.retry(chat.retry, [session, facts.table], opened, **asking))
    follow(left.chat.undo(chat.undo, [session, left.question], opened, **NOW))
    follow(left.chat.clear(chat.clear, session, opened, **NOW))

    def choose(session: Session, name: str) -> tuple:
        return chat.choose(session, models, name)

    left.model.input(choose, [session, left.model], [left.banner, left.timer], **NOW)
    left.stop.click(chat.stop, session, [left.chat, left.ask, left.stop], **NOW)


def _wire_attention(session: gr.State, right: AttentionPage, models: Models) -> None:
    given, shown = [session, right.turn, *view_inputs(right)], map_view(right)
    latest = {**NOW, "trigger_mode": "always_last"}  # the default drops a choice made while the last one is drawn
    right.turn.input(attention.pick_turn, given, attention_view(right)[1:], **latest)
    for event in (right.rows.input, right.scale.input, right.same.input, right.top_k.release):
        event(attention.draw, given, shown, **latest)
    right.layer.input(attention.choose, given, shown, **latest)
    right.head.input(attention.choose, given, shown, **latest)
    right.overview.open(attention.open_cell, given, shown, trigger_mode="multiple", **NOW)  # each brings its own cell

    def ask_again(session: Session):
        asked = session.change.turn.model if session.change else ""
        yield from causal.answer(session, models.named(asked))

    compared = comparison_view(right)
    noted = right.explorer.test(causal.accept, session, compared, trigger_mode="multiple", **NOW)
    noted.then(ask_again, session, compared, trigger_mode="multiple", **QUIET, **MODEL)


def _wire_share(session: gr.State, facts: FactsPage, left: ChatPage, sharing: SharePage) -> None:
    for kind, button in sharing.save.items():
        button.click(partial(share.save, kind=kind), [session, sharing.turn], [sharing.download, sharing.notice], **NOW)
    given = [session, facts.table, left.question, left.mode, left.threshold, left.model]
    sharing.copy.click(share.link, given, [sharing.link, sharing.notice], **NOW)


def _wire_compare(session: gr.State, facts: FactsPage, left: ChatPage, page: ComparePage, models: Models) -> None:
    def stream(session: Session, sent: object, question: str, threshold: float):
        yield from compare.stream(session, models.named(session.model), sent, question, threshold)

    shown = [page.result, page.start, page.stop]
    given = [session, facts.table, page.question, left.threshold]
    for asked in (page.start.click, page.question.submit):
        asked(stream, given, [*shown, page.judge], **QUIET, **MODEL)
    page.stop.click(compare.stop, session, shown, **NOW)
    page.judge.input(compare.judge, [session, page.judge], page.result, trigger_mode="always_last", **NOW)
    two = page.pair
    for choice in (two.first, two.second):
        choice.input(pair.show, [session, two.first, two.second], pair_view(two)[4:], trigger_mode="always_last", **NOW)


def _wire_start(blocks, session, facts, left, right, sharing, how, models) -> Any:
    """What happens when the page opens; returns the event."""

    def start(session: Session, kept: object, fragment: object, request: gr.Request) -> tuple:
        session.lang = lang = pick_language(request.headers.get("accept-language"))
        session.examples = list(examples())
        table.begin(session, kept)
        shared, problem = None, ""
        try:
            shared = read_link(fragment)
        except InputError:
            problem = chat.notice(say(lang, "link_broken"))
        if shared:
            share.restore(session, shared)
            if shared.model in models.names:
                session.model = shared.model
                models.named(shared.model).start()
            elif shared.model:
                here = models.named(session.model).name
                problem = chat.notice(say(lang, "link_other_model", name=shared.model, here=here))
        samples = [(say(lang, f"sample_{key}"), key) for key in SAMPLES]
        return (
            session,
            *table.view(session),
            table.questions(session),
            gr.Dropdown(choices=samples, value=session.sample),
            gr.Chatbot(placeholder=chat.empty(session)),
            gr.Dropdown(choices=[(say(lang, f"mode_{mode}"), mode) for mode in MODES], value=shared.mode if shared else MODES[0]),
            shared.threshold if shared else gr.skip(),
            shared.question if shared else gr.skip(),
            problem,
            gr.Radio(choices=[(say(lang, f"rows_{rows}"), rows) for rows in ("answer", "question")]),
            gr.Dropdown(choices=[(say(lang, f"scale_{scale}"), scale) for scale in SCALES]),
            say(lang, "how_text", url=str(request.base_url)),
            gr.Dropdown(value=models.named(session.model).name),
            *chat.banner(session, models.named(session.model)),
        )

    def tick(session: Session) -> tuple:
        return chat.banner(session, models.named(session.model))

    # From the first edit on the browser's own draft is what a reload is to show, not the link's table.
    facts.kept.change(None, js="() => location.hash.startsWith('#kblam=') && history.replaceState(null, '', location.pathname)", **NOW)
    outputs = [session, *table_view(facts), left.chips, facts.sample, left.chat]
    outputs += [left.mode, left.threshold, left.question, left.notice, right.rows, right.scale, how, left.model, left.banner, left.timer]
    # A link's content stands behind the "#", which only the browser sees.
    left.timer.tick(tick, session, [left.banner, left.timer], **NOW)
    given = [session, facts.kept, sharing.fragment]
    return blocks.load(start, given, outputs, js="(session, kept, _) => [session, kept, location.hash]", **NOW)
