"""A local stand-in for W&B's server, which answers the queries of wandb's own client for reading runs.

The client (wandb 0.31) asks for `Runs`, page by page, and for each run `RunHistoryKeys`, `RunParquetHistory`, the file
that it names, and `HistoryPage`. The client's code turns the answers into runs, configs, summaries and histories. The
answers are made from run folders in the form in which the tracker sends them: the record's `FACTS` in the summary, the
config, and one row per step.
"""

import gzip
import io
import json
import threading
from collections.abc import Container, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import wandb

from coatlab.runs.record import read_metrics, read_record
from coatlab.tracking.content import FACTS

ENTITY, PROJECT = "someone", "coatlab"
UNUSED = ("tags", "sweepName", "commit", "readOnly", "heartbeatAt", "description", "notes")


class Run:
    """A run on the server: its node (GraphQL's word for an object), and its rows as JSON, as W&B keeps them."""

    def __init__(self, folder: Path, state: str = "finished", id: str | None = None) -> None:
        record = read_record(folder)
        assert record is not None
        steps: dict[int, dict[str, Any]] = {}
        for row in read_metrics(folder):  # run.log(..., step=) puts what is logged at one step into one row
            values = {key: value for key, value in row.items() if value is not None and key != "step"}
            steps.setdefault(row["step"], {}).update(values)
        self.rows = [
            json.dumps({**values, "_step": step, "_runtime": 1.5, "_timestamp": 1.7e9})
            for step, values in steps.items()
        ]
        facts = {"record": {key: record[key] for key in FACTS if key in record}} if state != "running" else {}
        last = json.loads(self.rows[-1]) if self.rows else {}
        self.node: dict[str, Any] = dict.fromkeys(UNUSED) | {
            "id": "UnVu",
            "name": id or record["fingerprint"],  # the id that a run is opened with
            "displayName": folder.name,
            "state": state,
            "config": json.dumps({key: {"value": value, "desc": None} for key, value in record["config"].items()}),
            "summaryMetrics": json.dumps(last | {"_wandb": {"runtime": 2}} | facts),
            "systemMetrics": "{}",
            "group": record["config"]["study"],
            "jobType": "train",
            "createdAt": "2026-01-01T00:00:00",
            "projectId": "1",
            "user": {"name": "Someone", "username": ENTITY},
        }

        self.exported = 0  # rows, the first ones, that W&B has moved to a parquet file

    def parquet(self) -> bytes:
        """Return the parquet file of the exported rows."""
        rows = [json.loads(row) for row in self.rows[: self.exported]]
        file = io.BytesIO()
        pd.DataFrame(rows).to_parquet(file, index=False)
        return file.getvalue()

    def answer(self) -> dict[str, Any]:
        """Return the node, with the entries that depend on the rows."""
        last = json.loads(self.rows[-1])["_step"] if self.rows else -1
        return self.node | {"historyLineCount": len(self.rows), "historyKeys": {"keys": {}, "lastStep": last}}


@contextmanager
def serving(*runs: Run) -> Iterator[wandb.Api]:
    """Serve runs as the project someone/coatlab; yield wandb's own client for that server."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/graphql":  # telemetry
                self.send_error(404)
                return
            asked = json.loads(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            text = json.dumps({"data": answer(asked, runs, url)}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            (run,) = [run for run in runs if self.path == f"/{run.node['name']}.parquet"]
            content = run.parquet()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield wandb.Api(overrides={"base_url": url}, api_key="0" * 40)
    finally:
        server.shutdown()
        server.server_close()


def answer(asked: dict[str, Any], runs: tuple[Any, ...], url: str, projects: Container[str] = (PROJECT,)) -> Any:
    query, given = asked["query"], asked.get("variables") or {}
    if "viewer" in query:
        return {"viewer": {"id": "1", "entity": ENTITY, "username": ENTITY, "flags": "{}", "teams": {"edges": []}}}
    if given.get("entity") != ENTITY or given.get("project") not in projects:
        return {"project": None}
    if "query Runs(" in query:
        first = int(given["cursor"] or 0)
        page = [run.answer() for run in runs[first : first + given["perPage"]]]
        end = first + len(page)
        edges = [{"node": node, "cursor": str(first + place)} for place, node in enumerate(page, start=1)]
        following = {"endCursor": str(end), "hasNextPage": end < len(runs)}
        whole = {"internalId": "1", "runCount": len(runs), "readOnly": False}
        return {"project": whole | {"runs": {"edges": edges, "pageInfo": following}}}
    (run,) = [one for one in runs if one.node["name"] in (given.get("name"), given.get("run"), given.get("runName"))]
    if "query Run(" in query:
        return {"project": {"run": run.answer()}}
    if "RunHistoryKeys" in query:
        return {"project": {"run": {"historyKeys": run.answer()["historyKeys"]}}}
    if "RunParquetHistory" in query:
        live = [{"_step": json.loads(row)["_step"]} for row in run.rows[run.exported :]]
        files = [f"{url}/{run.node['name']}.parquet"] if run.exported else []
        return {"project": {"run": {"parquetHistory": {"parquetUrls": files, "liveData": live}}}}
    assert "HistoryPage" in query, query
    rows = [row for row in run.rows if given["minStep"] <= json.loads(row)["_step"] < given["maxStep"]]
    return {"project": {"run": {"history": rows[: given["pageSize"]]}}}
