"""A tap on the line: an HTTP server that hands DynamoDB requests on to the local AWS and shows them to `Traffic`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from bench.traffic import Traffic, requests
from product_stack import Product

# botocore reads it before AWS_ENDPOINT_URL, and the local AWS leaves it alone.
ENDPOINT = "AWS_ENDPOINT_URL_DYNAMODB"
NOT_HANDED_ON = frozenset(("host", "connection", "content-length", "transfer-encoding", "date", "server"))
GATEWAY_FAILED = 502


@contextmanager
def tapped(product: Product) -> Generator[Traffic]:
    """Lead the DynamoDB requests of all the product's functions through here for as long as the block lasts."""
    table = product.outputs["SessionsTable"]
    described = product.aws("dynamodb").describe_table(TableName=table)["Table"]
    traffic = Traffic(table, [_attributes(index) for index in described["GlobalSecondaryIndexes"]])
    server = _Server(traffic, product.stack.aws.url)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        _lead(product, f"http://127.0.0.1:{server.server_port}")
        yield traffic
    finally:
        _lead(product, None)
        server.shutdown()
        thread.join()
        server.server_close()


def _attributes(index: dict[str, Any]) -> tuple[str, str]:
    first, second = (each["AttributeName"] for each in index["KeySchema"])
    return first, second


def _lead(product: Product, url: str | None) -> None:
    functions = product.aws("lambda")
    pages = functions.get_paginator("list_functions").paginate()
    ours = [
        each for page in pages for each in page["Functions"] if each["FunctionName"].startswith("freehold-")
    ]
    for each in ours:
        kept = {name: value for name, value in each["Environment"]["Variables"].items() if name != ENDPOINT}
        variables = kept | ({ENDPOINT: url} if url else {})
        name = each["FunctionName"]
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        # Callers ask for an alias, and a version that was published keeps its variables.
        version = functions.publish_version(FunctionName=name)["Version"]
        for alias in functions.list_aliases(FunctionName=name)["Aliases"]:
            functions.update_alias(FunctionName=name, Name=alias["Name"], FunctionVersion=version)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, traffic: Traffic, aws_url: str) -> None:
        self.traffic, self.aws = traffic, urlsplit(aws_url).netloc
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A function that went away is no error here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One packet for head and body: a second would wait for the first one's acknowledgement, 40 ms each time.
    wbufsize = -1
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def setup(self) -> None:
        super().setup()
        self.line = HTTPConnection(self.server.aws)

    def finish(self) -> None:
        self.line.close()
        super().finish()

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers.get("content-length", 0)))
        kept = {name: value for name, value in self.headers.items() if name.lower() not in NOT_HANDED_ON}
        try:
            self.line.request("POST", self.path, asked, kept)
            response = self.line.getresponse()
            answered = response.read()
        except (OSError, HTTPException):
            self.line.close()
            self.send_error(GATEWAY_FAILED)
            return
        operation = self.headers.get("x-amz-target", "").rpartition(".")[2]
        self.server.traffic.saw(operation, requests(asked), response.status, requests(answered))
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in NOT_HANDED_ON:
                self.send_header(name, value)
        self.send_header("content-length", str(len(answered)))
        self.end_headers()
        self.wfile.write(answered)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's own name
        """Quiet."""
