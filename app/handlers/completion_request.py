"""Reading a request of the OpenAI protocol: what is understood, what is refused and in which words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.draft import MAX_ROWS
from app.handlers.api import as_rows
from app.session import MAX_QUESTION
from app.tables import StoredTable, TableStore
from app.texts import say
from kblam_core import AskOptions, clean_rows

MAX_BODY = 20_000_000  # bytes, as for an upload on the page
MAX_TOKENS = 1024
_UNSUPPORTED = ("tools", "functions", "logprobs", "stop", "audio")


class ApiError(Exception):
    """An error as a client of OpenAI's API expects it."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None, wait: int | None = None) -> None:
        super().__init__(message)
        self.status, self.param, self.code, self.wait = status, param, code, wait

    @property
    def body(self) -> dict[str, Any]:
        kind = "invalid_request_error" if self.status < 500 and self.status != 429 else "server_error"
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> Response:
        headers = {"Retry-After": str(self.wait)} if self.wait is not None else None
        return JSONResponse(self.body, self.status, headers=headers)


@dataclass(frozen=True)
class Asked:
    """A checked request."""

    question: str
    history: list[tuple[str, str]]
    options: AskOptions
    table: StoredTable
    stream: bool
    usage: bool
    prompt: str


def read_request(body: dict[str, Any], tables: TableStore) -> Asked:
    """Check a body of /v1/chat/completions. Raises ApiError and InputError."""
    for name in _UNSUPPORTED:
        if body.get(name):
            raise ApiError(400, f"'{name}' is not supported: answers are plain text from the table.", param=name)
    if body.get("n") not in (None, 1):
        raise ApiError(400, "'n' must be 1: a question has one answer here.", param="n")
    if (body.get("response_format") or {"type": "text"}) != {"type": "text"}:
        raise ApiError(400, "'response_format' must be text.", param="response_format")
    turns = _turns(body.get("messages"))
    if not turns or turns[-1][0] != "user":
        raise ApiError(400, "'messages' must end with a message of the user, which is the question.", param="messages")
    question = turns[-1][1].strip()
    if not question:
        raise ApiError(400, say("en", "empty_question"), param="messages")
    if len(question) > MAX_QUESTION:
        raise ApiError(400, f"The question has {len(question):,} characters; at most {MAX_QUESTION:,} fit.", param="messages")
    history = [(one[1], two[1]) for one, two in pairwise(turns) if (one[0], two[0]) == ("user", "assistant")]
    if (body.get("triples") is None) == (body.get("table") is None):
        raise ApiError(400, "Give the facts as 'triples' ([[entity, property, value], ...]), or a 'table' by its id.", param="triples")
    if body.get("table") is not None:
        table = find_table(tables, str(body["table"]))
    else:
        table = StoredTable("", clean_rows(as_rows(body["triples"]), max_rows=MAX_ROWS).triples, 0.0)
    return Asked(
        question,
        history,
        _options(body),
        table,
        stream=bool(body.get("stream")),
        usage=bool((body.get("stream_options") or {}).get("include_usage")),
        prompt="\n".join(text for _, text in turns),
    )


def _turns(messages: object) -> list[tuple[str, str]]:
    """(role, text) of the user's and the assistant's messages; those of the system have no effect."""
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise ApiError(400, "'messages' must be a list of {role, content} objects.", param="messages")
    turns = []
    for message in messages:
        role, content = message.get("role"), message.get("content")
        if role in ("system", "developer"):
            continue
        if role not in ("user", "assistant"):
            raise ApiError(400, f"Messages of the role {role!r} are not supported.", param="messages")
        if isinstance(content, list) and all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content):
            content = "\n".join(part["text"] for part in content)
        if not isinstance(content, str):
            raise ApiError(400, "The content of a message must be text.", param="messages")
        turns.append((role, content))
    return turns


def _options(body: dict[str, Any]) -> AskOptions:
    given = {name: body[name] for name in ("mode", "threshold", "top_k") if body.get(name) is not None}
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if limit is not None:
        if not isinstance(limit, int) or limit < 1:
            raise ApiError(400, "'max_tokens' must be a whole number from 1.", param="max_tokens")
        given["max_new_tokens"] = min(limit, MAX_TOKENS)
    try:
        return AskOptions(**given)
    except TypeError:
        raise ApiError(400, "'threshold' and 'top_k' must be numbers.", param="threshold") from None


def find_table(tables: TableStore, table_id: str) -> StoredTable:
    """Raises ApiError when there is no table of that id."""
    table = tables.get(table_id)
    if table is None:
        message = "There is no such table: it was removed, or not used for an hour. Send it again with POST /v1/tables."
        raise ApiError(404, message, param="table", code="table_not_found")
    return table


async def read_body(request: Request) -> bytes:
    """The body, up to MAX_BODY. Raises ApiError."""
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > MAX_BODY:
            raise ApiError(413, f"The request is larger than {MAX_BODY // 1_000_000} MB. Send fewer facts.")
    return bytes(data)


def as_object(data: bytes) -> dict[str, Any]:
    """The JSON object that the body is. Raises ApiError."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise ApiError(400, "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise ApiError(400, "The body must be a JSON object.")
    return body
