"""A stand-in of the Hugging Face Hub on 127.0.0.1: enough of its API for huggingface_hub to make, fill and fetch a model repository."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_right"


class HubServer:
    """repos: files by repository; commits: how many were made; private: repositories shown to TOKEN only;
    gated: repositories whose files are given to TOKEN only."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.repos: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.gated: set[str] = set()
        self.commits = 0
        self.fetched: list[str] = []

    def sha(self, repo: str) -> str:
        names = b"".join(name.encode() + content for name, content in sorted(self.repos[repo].items()))
        return hashlib.sha1(names).hexdigest()


def _oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def hub_server() -> Iterator[HubServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = unquote(urlsplit(self.path).path)
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self.answer(401, {"error": "Invalid username or password."})
            if path == "/api/repos/create":
                asked = json.loads(body)
                repo = f"{asked['organization']}/{asked['name']}"
                if asked.get("private") or asked.get("visibility") == "private":
                    state.private.add(repo)
                known = repo in state.repos
                state.repos.setdefault(repo, {})
                return self.answer(409 if known else 200, {"url": f"{state.url}/{repo}"})
            if path == "/api/validate-yaml":
                return self.answer(200, {"errors": [], "warnings": []})
            if re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", path):
                files = [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in json.loads(body)["files"]]
                return self.answer(200, {"files": files})
            if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
                for line in body.splitlines():
                    part = json.loads(line)
                    if part["key"] == "file":
                        state.repos[match[1]][part["value"]["path"]] = base64.b64decode(part["value"]["content"])
                state.commits += 1
                oid = state.sha(match[1])
                return self.answer(200, {"commitUrl": f"{state.url}/{match[1]}/commit/{oid}", "commitOid": oid})
            return self.answer(404, {"error": "not here"})

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            match = re.fullmatch(r"/(?:api/models/)?([^/]+/[^/]+)(?:/(revision|tree|resolve)/([^/]+)(?:/(.+))?)?", path)
            repo = match[1] if match else ""
            allowed = repo not in state.private or self.headers.get("Authorization") == f"Bearer {TOKEN}"
            if repo not in state.repos or not allowed:
                return self.answer(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
            files, kind = state.repos[repo], match[2]
            if kind == "resolve" and repo in state.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self.answer(401, {"error": f"Access to model {repo} is restricted."}, X_Error_Code="GatedRepo")
            if match[3] not in (None, "main", state.sha(repo)):
                return self.answer(404, {"error": "Revision not found"}, X_Error_Code="RevisionNotFound")
            if kind == "tree" and match[4] and not any(name.startswith(f"{match[4]}/") for name in files):
                return self.answer(404, {"error": "Entry not found"}, X_Error_Code="EntryNotFound")
            if kind == "tree":
                rows = [{"type": "file", "path": name, "size": len(data), "oid": _oid(data)} for name, data in files.items()]
                return self.answer(200, rows)
            if kind == "resolve":
                if match[4] not in files:
                    return self.answer(404, {"error": "Entry not found"}, X_Error_Code="EntryNotFound")
                if self.command == "GET":
                    state.fetched.append(match[4])
                data = files[match[4]]
                return self.send(200, data, ETag=f'"{_oid(data)}"', X_Repo_Commit=state.sha(repo), Content_Type="application/octet-stream")
            siblings = [{"rfilename": name} for name in files]
            return self.answer(
                200, {"id": repo, "modelId": repo, "sha": state.sha(repo), "siblings": siblings, "private": False, "tags": []}
            )

        do_HEAD = do_GET

        def answer(self, code: int, content: object, **headers: str) -> None:
            self.send(code, json.dumps(content).encode(), **{"Content_Type": "application/json"} | headers)

        def send(self, code: int, data: bytes, **headers: str) -> None:
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state = HubServer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
