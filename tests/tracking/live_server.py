"""A local stand-in for W&B's server to which wandb's own process sends runs, and which keeps them.

It answers what wandb 0.31 asks when a run is opened, logged, ended, read and deleted; what is read is answered as
wandb_server.py does. It can be away, and it can be slow.
"""

import gzip
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.tracking.wandb_server import ENTITY, PROJECT, UNUSED, answer

OWNER = {"id": "1", "name": ENTITY}
KEPT = ("config", "summaryMetrics", "displayName", "groupName", "jobType", "tags", "notes")


class Kept:
    """A run that was sent: the node of GraphQL, and its rows as JSON."""

    exported, project = 0, PROJECT

    def __init__(self, id: str) -> None:
        self.rows: list[str] = []
        self.node: dict[str, Any] = dict.fromkeys(UNUSED) | {
            "id": f"stored-{id}", "name": id, "displayName": None, "state": "running", "config": "{}",
            "summaryMetrics": "{}", "systemMetrics": "{}", "group": None, "jobType": None,
            "createdAt": "2026-01-01T00:00:00", "projectId": "1", "user": {"name": "Someone", "username": ENTITY},
        }  # fmt: skip

    def answer(self) -> dict[str, Any]:
        last = json.loads(self.rows[-1])["_step"] if self.rows else -1
        return self.node | {"historyLineCount": len(self.rows), "historyKeys": {"keys": {}, "lastStep": last}}

    def steps(self) -> list[int]:
        return [json.loads(row)["_step"] for row in self.rows]

    def upsert(self, given: dict[str, Any]) -> None:
        for key in KEPT:
            if given.get(key) is not None:
                self.node["group" if key == "groupName" else key] = given[key]
        self.project = given["project"]
        self.node["state"] = "running"

    def stream(self, sent: dict[str, Any]) -> None:
        """Take what a running client sends: rows from some line on, the summary, and how the run ended."""
        for name, part in sent.get("files", {}).items():
            if name == "wandb-history.jsonl":
                self.rows[part["offset"] :] = part["content"]
            elif name == "wandb-summary.json":
                self.node["summaryMetrics"] = part["content"][-1]
        if sent.get("complete"):
            self.node["state"] = "finished" if sent["exitcode"] == 0 else "failed"


class LiveServer:
    """The runs by id, and how the server behaves: `away` closes every connection, `slow` sends a byte a second."""

    def __init__(self) -> None:
        self.runs: dict[str, Kept] = {}
        self.deleted: set[str] = set()
        self.away = self.slow = False
        self.url = ""

    def graphql(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = re.findall(r"(?:query|mutation) (\w+)", asked["query"])[0]
        given = asked.get("variables") or {}
        if name == "RunResumeStatus":
            run = self.runs.get(given["name"])
            bucket = run and run.answer() | {
                "historyTail": json.dumps(run.rows[-1:]), "eventsTail": "[]", "logLineCount": 0, "eventsLineCount": 0,
                "wandbConfig": '{"t": 1}',
            }  # fmt: skip
            return {"data": {"model": {"id": "1", "name": given["project"], "entity": OWNER, "bucket": bucket}}}
        if name == "UpsertBucket":
            if given["name"] in self.deleted:
                return {"errors": [{"message": f"run {given['name']} was previously created and deleted"}]}
            run = self.runs.setdefault(given["name"], Kept(given["name"]))
            run.upsert(given)
            project = {"id": "1", "name": given["project"], "entity": OWNER}
            return {"data": {"upsertBucket": {"bucket": run.answer() | {"project": project}, "inserted": True}}}
        if name == "CreateRunFiles":
            files = [{"name": file, "uploadUrl": f"{self.url}/put/{file}"} for file in given["files"]]
            return {"data": {"createRunFiles": {"runID": "1", "uploadHeaders": [], "files": files}}}
        if name == "DeleteRun":
            (id,) = [id for id, run in self.runs.items() if run.node["id"] == given["id"]]
            del self.runs[id]
            self.deleted.add(id)
            return {"data": {"deleteRun": {"clientMutationId": "1"}}}
        if name == "Run" and given["name"] not in self.runs:
            return {"data": {"project": {"run": None}}}
        projects = [run.project for run in self.runs.values()]
        return {"data": answer(asked, tuple(self.runs.values()), self.url, {PROJECT, *projects})}


@contextmanager
def live() -> Iterator[LiveServer]:
    """Run a server of this kind."""
    state = LiveServer()

    class Handler(BaseHTTPRequestHandler):
        def answer(self, content: Any) -> None:
            text = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            for byte in text if state.slow else ():
                self.wfile.write(bytes([byte]))
                time.sleep(1)
            self.wfile.write(b"" if state.slow else text)

        def body(self) -> bytes:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

        def do_POST(self) -> None:
            body = self.body()
            if state.away:
                self.connection.shutdown(socket.SHUT_RDWR)
            elif self.path == "/graphql":
                self.answer(state.graphql(json.loads(body)))
            elif found := re.fullmatch(r"/files/[^/]+/[^/]+/([^/]+)/file_stream", self.path):
                if found[1] in state.runs:
                    state.runs[found[1]].stream(json.loads(body))
                self.answer({"exitcode": None, "limits": {}})
            else:
                self.answer({})

        def do_PUT(self) -> None:
            self.body()
            self.answer({})

        def do_GET(self) -> None:
            self.answer({})
            state.slow |= self.path == "/slow"

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *arguments: None  # type: ignore[method-assign,assignment]
    state.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
