"""A real HTTP server on 127.0.0.1 that speaks OpenAI's embeddings protocol, and misbehaves on demand."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from zlib import crc32

import numpy as np

KEY = "sk-test-right"


class EmbeddingServer:
    """requests: bodies received; faults: what to do instead of answering, one for each of the next requests."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.width = 1536
        self.as_base64 = True
        self.requests: list[dict] = []
        self.times: list[float] = []
        self.faults: deque[Callable[[BaseHTTPRequestHandler], None]] = deque()

    @property
    def texts(self) -> list[str]:
        return [text for request in self.requests for text in request["input"]]

    def vector(self, text: str) -> np.ndarray:
        return np.random.default_rng(crc32(text.encode())).standard_normal(self.width).astype(np.float32) * 3

    def answer(self, request: dict) -> dict:
        rows = []
        for index, text in enumerate(request["input"]):
            vector = self.vector(text)
            shown = base64.b64encode(vector.tobytes()).decode() if self.as_base64 else vector.tolist()
            rows.append({"object": "embedding", "index": index, "embedding": shown})
        rows.reverse()  # the order is said by `index`, not by the place
        return {"object": "list", "model": request["model"], "data": rows, "usage": {"prompt_tokens": 1, "total_tokens": 1}}


def status(code: int, message: str = "no", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer with an error as OpenAI words it."""
    return lambda handler: send(handler, code, json.dumps({"error": {"message": message, "type": "x", "code": None}}), **headers)


def body(text: str, kind: str = "application/json") -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer 200 with this."""
    return lambda handler: send(handler, 200, text, **{"Content-Type": kind})


def silence(seconds: float) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda handler: time.sleep(seconds)


def send(handler: BaseHTTPRequestHandler, code: int, text: str, **headers: str) -> None:
    data = text.encode()
    handler.send_response(code)
    for name, value in ({"Content-Type": "application/json"} | headers).items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


@contextmanager
def embedding_server() -> Iterator[EmbeddingServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.requests.append(request)
            state.times.append(time.monotonic())
            if self.headers["Authorization"] != f"Bearer {KEY}":
                status(401, "Incorrect API key provided: sk-secret-part")(self)
            elif self.path != "/v1/embeddings":
                status(404)(self)
            elif state.faults:
                state.faults.popleft()(self)
            else:
                send(self, 200, json.dumps(state.answer(request)))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = EmbeddingServer(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
