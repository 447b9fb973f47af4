"""One answer with its attention to take along: JSON, CSV, or a page of its own. Pure: a turn goes in, text comes out."""

from __future__ import annotations

import csv
import html
import io
import json
from dataclasses import replace

from app.figures import heatmap_figure, map_title
from app.session import Turn
from app.texts import say
from kblam_core import Heatmap, Source, Trace

LAYER_FACTS = 10
MAX_TABLE = 2_000  # facts written into the JSON; of a larger table only the facts that the attention names

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1000px; margin: 32px auto; padding: 0 16px; }
h1 { font-size: 1.2rem; } .answer { font-size: 1.15rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; } th, td { padding: 4px 10px; border: 1px solid #8884; text-align: left; overflow-wrap: anywhere; }
.note { color: #7c8794; font-size: 0.9rem; } .plot { overflow-x: auto; }
"""
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"


def answer_json(turn: Turn) -> str:
    """Question, settings, answer, table and reduced attention; shares are of all attention and each row sums to 1 with "text"."""
    trace = turn.answer.trace
    content = {
        "kblam_playground": 1,
        "question": turn.question,
        "settings": {"mode": turn.options.mode, "threshold": turn.options.threshold},
        "model": turn.model,
        **turn.answer.to_dict(),
        "facts_in_table": len(turn.facts),
        "facts": _facts(turn, trace),
        "attention": trace and _attention(trace),
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def answer_csv(turn: Turn) -> str:
    """One line for each token and fact: of, position, token, fact, entity, property, value, share (mean of layers and heads)."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("of", "position", "token", "fact", "entity", "property", "value", "share"))
    trace = turn.answer.trace
    for part in ("question", "answer") if trace else ():
        heatmap = _whole(trace, part)
        for position, (token, shares, mass) in enumerate(zip(heatmap.tokens, heatmap.weights, heatmap.kb_mass, strict=True), start=1):
            for index, share in zip(heatmap.facts, shares[:-1], strict=True):
                fact = turn.facts[index]
                writer.writerow((part, position, token, index + 1, fact.entity, fact.property, fact.value, f"{share:.5f}"))
            writer.writerow((part, position, token, "", "(other facts)", "", "", f"{shares[-1]:.5f}"))
            writer.writerow((part, position, token, "", "(text)", "", "", f"{1 - mass:.5f}"))
    return buffer.getvalue()


def answer_html(turn: Turn, lang: str) -> str:
    """A page that needs nothing else: texts, facts and the interactive heatmaps, with Plotly's own script inside."""
    answer = turn.answer
    mode, threshold = say(lang, f"mode_{turn.options.mode}"), f"{turn.options.threshold:.2f}"
    sources = answer.sources or answer.nearest
    parts = [
        f"<h1>{html.escape(turn.question)}</h1>",
        f'<p class="answer">{html.escape(answer.text)}</p>',
        f'<p class="note">{html.escape(say(lang, "export_settings", mode=mode, threshold=threshold, facts=len(turn.facts)))}</p>',
        f"<h2>{html.escape(say(lang, 'facts_used' if answer.sources else 'nearest_facts'))}</h2>",
        _source_table(sources, lang),
    ]
    script: bool | str = True
    for part in ("answer", "question") if answer.trace else ():
        heatmap = answer.trace.heatmap(rows=part, top_k=LAYER_FACTS)
        figure = heatmap_figure(replace(heatmap, title=map_title(part, "all", "all", heatmap.scale, lang)), turn.facts, lang=lang)
        plot = figure.to_html(full_html=False, include_plotlyjs=script, config={"displaylogo": False, "responsive": True})
        parts.append(f'<div class="plot"><div style="min-width: {figure.layout.meta["least_width"]}px">{plot}</div></div>')
        script = False
    parts.append(f'<p class="note">{html.escape(say(lang, "export_note"))}</p>')
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width"><title>{html.escape(turn.question)}</title><style>{_STYLE}</style>'
    )
    return f'<!doctype html>\n<html lang="{lang}"><head>{head}</head>\n<body>\n{"".join(parts)}\n</body></html>\n'


def _attention(trace: Trace) -> dict:
    return {
        "layers": trace.layers,
        "heads": trace.heads,
        "question": _plain(_whole(trace, "question")),
        "answer": _plain(_whole(trace, "answer")),
        "answer_by_layer": {str(layer): _plain(trace.heatmap(layer=layer, top_k=LAYER_FACTS)) for layer in trace.layers},
    }


def _whole(trace: Trace, part: str) -> Heatmap:
    return trace.heatmap(rows=part, top_k=max(1, len(trace.facts)))


def _plain(heatmap: Heatmap) -> dict:
    rows = [
        {
            "token": token,
            "shares": [round(float(share), 5) for share in shares[:-1]],
            "other_facts": round(float(shares[-1]), 5),
            "text": round(1 - mass, 5),
        }
        for token, shares, mass in zip(heatmap.tokens, heatmap.weights, heatmap.kb_mass, strict=True)
    ]
    return {"title": heatmap.title, "facts": [index + 1 for index in heatmap.facts], "tokens": rows}


def _facts(turn: Turn, trace: Trace | None) -> list[dict]:
    rows = range(len(turn.facts)) if len(turn.facts) <= MAX_TABLE else sorted(trace.facts if trace else [])
    facts = ((row, turn.facts[row]) for row in rows)
    return [{"fact": row + 1, "entity": fact.entity, "property": fact.property, "value": fact.value} for row, fact in facts]


def _source_table(sources: list[Source], lang: str) -> str:
    heads = "".join(f"<th>{html.escape(say(lang, key))}</th>" for key in ("entity", "property", "value", "map_share"))
    rows = ((source.entity, source.property, source.value, f"{source.weight:.1%}") for source in sources)
    lines = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"
