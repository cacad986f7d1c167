"""All that calls have effects on, in a process of its own: a DynamoDB, a Lambda, an API, an MCP server.

    python bench/effects.py FOLDER

Each call writes its idempotency key into `arrived` as it comes, and into `effects` once it has done what was asked. A
line with the URLs says that all listen; they do until standard input ends.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

ARRIVED, EFFECTS = "arrived", "effects"
# Between arrival, effect and answer, so that whoever asked can die in between.
PAUSE_SECONDS = 0.03
FUNCTION_ANSWER = {
    "messageVersion": "1.0",
    "response": {"functionResponse": {"responseBody": {"TEXT": {"body": "paid"}}}},
}


def write_line(path: Path, line: str) -> None:
    """So that it is there whatever happens next."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, f"{line}\n".encode())
    os.fsync(file)
    os.close(file)


def take_effect(folder: Path, key: str) -> None:
    write_line(folder / ARRIVED, key)
    time.sleep(PAUSE_SECONDS)
    write_line(folder / EFFECTS, key)
    time.sleep(PAUSE_SECONDS)


class Quiet(ThreadingHTTPServer):
    """Whoever asked may be dead by now."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        return


def listening(answer: Callable[[BaseHTTPRequestHandler, Any], tuple[int, Any]]) -> str:
    """The URL of a server that answers a body of JSON by status and another one."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # An answer goes out at once and whole.
        disable_nagle_algorithm, wbufsize = True, -1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answered = answer(self, json.loads(body))
            told = json.dumps(answered).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_request(self, code: Any = "-", size: Any = "-") -> None:
            return

    server = Quiet(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def tools(folder: Path) -> str:
    """Lambda's Invoke, and an API with one operation."""

    def answer(asked: BaseHTTPRequestHandler, given: Any) -> tuple[int, Any]:
        if "/functions/" in asked.path:
            take_effect(folder, given["freehold"]["idempotencyKey"])
            return 200, FUNCTION_ANSWER
        take_effect(folder, asked.headers["Idempotency-Key"])
        return 200, {"state": "paid"}

    return listening(answer)


def table() -> str:
    """DynamoDB's own protocol in front of a dictionary."""
    from botocore.exceptions import ClientError

    from memory_table import MemoryTable

    there = MemoryTable()

    def answer(asked: BaseHTTPRequestHandler, given: Any) -> tuple[int, Any]:
        operation = re.sub(r"(?<!^)(?=[A-Z])", "_", asked.headers["X-Amz-Target"].split(".")[1]).lower()
        try:
            return 200, getattr(there, operation)(**given) or {}
        except ClientError as error:
            response: Any = error.response
            more = {name: response[name] for name in ("Item", "CancellationReasons") if name in response}
            return 400, {"__type": response["Error"]["Code"], "message": "", **more}

    return listening(answer)


def main(folder: Path) -> None:
    from mcp_server import McpServer, text

    with McpServer() as mcp:

        def paid(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
            take_effect(folder, mcp.calls[-1]["_meta"]["freehold/idempotencyKey"])
            return text("paid")

        mcp.answer = paid
        urls = {"dynamodb": table(), "tools": tools(folder), "mcp": mcp.url}
        print(json.dumps(urls), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    ROOT = Path(__file__).parents[1]
    sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "integration")]
    main(Path(sys.argv[1]))
