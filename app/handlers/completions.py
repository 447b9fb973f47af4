"""An OpenAI-compatible endpoint beside the page: /v1/chat/completions, with the table in the request or by id from /v1/tables.

Existing clients work unchanged but for the facts, which travel as `triples` or `table` (extra_body= in the openai client). Answers are
greedy: temperature, top_p, seed and penalties are accepted and have no effect; what would change an answer's form is refused.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app import host as hosts
from app.draft import MAX_ROWS
from app.handlers.api import as_rows
from app.handlers.completion_request import ApiError, Asked, as_object, find_table, read_body, read_request
from app.tables import MAX_AGE, StoredTable, TableStore
from app.texts import say
from kblam_core import Answer, InputError, KblamError, Problem, ServiceError, clean_rows, parse_table

log = logging.getLogger("app")
MODEL = "kblam"
AT_ONCE = 16  # requests that are answered in turns; more are asked to come back
LOADING_SECONDS = 120


class AnswerStream(StreamingResponse):
    """Server-sent events; a client that leaves ends the answer at once, not when the garbage is collected."""

    def __init__(self, events: Generator[str], parts: Generator[str | Answer]) -> None:
        super().__init__(events, media_type="text/event-stream")
        self._events, self._parts = events, parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._events.close()
            self._parts.close()


def routes(host: hosts.ModelHost, *, tables: TableStore | None = None, at_once: int = AT_ONCE) -> list[Route]:
    """The endpoints over one model host, for launch(app_kwargs={"routes": ...})."""
    tables = TableStore() if tables is None else tables
    free = threading.BoundedSemaphore(at_once)

    async def completions(request: Request) -> Response:
        asked = read_request(as_object(await read_body(request)), tables)
        parts = _started(host, asked, free)
        first = await run_in_threadpool(next, parts)  # what goes wrong before the first word gets a status of its own
        if asked.stream:
            return AnswerStream(_events(first, parts, host, asked), parts)
        *_, answer = await run_in_threadpool(lambda: [first, *parts])
        return JSONResponse(_completion(host, asked, answer))

    async def add_table(request: Request) -> Response:
        data = await read_body(request)
        if request.headers.get("content-type", "").startswith("text/csv"):
            read = await run_in_threadpool(lambda: parse_table(data, name="table.csv", max_rows=MAX_ROWS))
        else:
            read = clean_rows(as_rows(as_object(data).get("triples")), max_rows=MAX_ROWS)
        return JSONResponse(_shown(tables.add(read.triples), read.problems), 201)

    async def one_table(request: Request) -> Response:
        table = find_table(tables, request.path_params["id"])
        if request.method == "DELETE":
            tables.remove(table.id)
            return JSONResponse({"id": table.id, "object": "table", "deleted": True})
        return JSONResponse(_shown(table, []))

    async def models(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "kblam"}]})

    async def nothing(request: Request) -> Response:
        raise ApiError(404, f"There is no {request.method} {request.url.path} here.", code="unknown_url")

    return [
        Route("/v1/chat/completions", _guarded(completions), methods=["POST"]),
        Route("/v1/tables", _guarded(add_table), methods=["POST"]),
        Route("/v1/tables/{id}", _guarded(one_table), methods=["GET", "DELETE"]),
        Route("/v1/models", _guarded(models)),
        Route("/v1/{path:path}", _guarded(nothing), methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ]


def _started(host: hosts.ModelHost, asked: Asked, free: threading.BoundedSemaphore) -> Generator[str | Answer]:
    """The answer's text in pieces, then the Answer; holds one of the places while it runs."""
    host.start()
    if not free.acquire(blocking=False):
        raise ApiError(429, "Too many questions at once. Try again soon.", code="rate_limit_exceeded", wait=1)
    try:
        if not host.wait(LOADING_SECONDS):
            raise ApiError(503, "The model is still loading. Try again soon.", code="model_loading", wait=5)
        if host.state == "failed":
            raise ApiError(503, host.reason or say("en", "generic_error"), code="model_failed")
        kb = asked.table.kb
        for part in hosts.run(host.key, kb, asked.table.triples, asked.question, asked.history, asked.options):
            if isinstance(part, (str, Answer)):
                asked.table.kb = kb  # not earlier: two questions must not fill one base
                yield part
            elif part is not None and not isinstance(part, hosts.Encoding):
                kb = part
    finally:
        free.release()


def _events(first: str | Answer, parts: Iterator[str | Answer], host: hosts.ModelHost, asked: Asked) -> Generator[str]:
    """Server-sent events: a chunk for each piece, one with the sources at the end, then [DONE]."""
    base = _base("chat.completion.chunk")

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> str:
        return _event(base | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]} | more)

    yield chunk({"role": "assistant", "content": ""})
    try:
        part = first
        while isinstance(part, str):
            yield chunk({"content": part})
            part = next(parts)
        next(parts, None)  # to its end: the place is given back
        yield chunk({}, _finish(asked, part), kblam=_details(part))
        if asked.usage:
            yield _event(base | {"choices": [], "usage": _usage(host, asked, part)})
        yield "data: [DONE]\n\n"
    except Exception as error:
        yield _event(_as_api_error(error).body)


def _completion(host: hosts.ModelHost, asked: Asked, answer: Answer) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer.text, "refusal": None}
    return _base("chat.completion") | {
        "choices": [{"index": 0, "message": message, "finish_reason": _finish(asked, answer), "logprobs": None}],
        "usage": _usage(host, asked, answer),
        "kblam": _details(answer),
    }


def _base(kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": MODEL}


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


def _finish(asked: Asked, answer: Answer) -> str:
    return "length" if answer.timing.tokens >= asked.options.max_new_tokens else "stop"


def _details(answer: Answer) -> dict[str, Any]:
    """What OpenAI's form has no place for: whether it was refused, the facts used and the nearest ones, confidence."""
    return {name: value for name, value in answer.to_dict().items() if name != "answer"}


def _usage(host: hosts.ModelHost, asked: Asked, answer: Answer) -> dict[str, int]:
    """The messages' tokens: facts take none, they are in the attention."""
    read, made = hosts.count_tokens(host.key, asked.prompt), answer.timing.tokens
    return {"prompt_tokens": read, "completion_tokens": made, "total_tokens": read + made}


def _shown(table: StoredTable, problems: list[Problem]) -> dict[str, Any]:
    remarks = [{"row": one.row, "kind": one.kind, "message": one.message} for one in problems]
    return {"id": table.id, "object": "table", "facts": len(table.triples), "problems": remarks, "expires_after": MAX_AGE}


def _guarded(endpoint: Callable) -> Callable:
    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Exception as error:
            return _as_api_error(error).response()

    return guarded


def _as_api_error(error: Exception) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, KblamError):
        return ApiError(400 if isinstance(error, InputError) else 502 if isinstance(error, ServiceError) else 503, str(error))
    log.error("A request to /v1 failed", exc_info=error)
    return ApiError(500, say("en", "generic_error"))
