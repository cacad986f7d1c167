"""The API over HTTP on this machine, with API Gateway's part done by `gateway`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request as Received
from werkzeug.wrappers import Response

from .gateway import Request, send

# A connection's own, which API Gateway hands on in neither direction.
OF_CONNECTIONS = ("Host", "Content-Length", "Connection", "Accept-Encoding")


class Quiet(WSGIRequestHandler):
    def log_request(self, *_: Any) -> None:
        pass


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """WSGI. What a header or a body says in no valid UTF-8 is read letter by letter."""
    received = Received(environ)
    data = received.get_data()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    headers = {name: value for name, value in received.headers.items() if name not in OF_CONNECTIONS}
    path = environ["RAW_URI"].partition("?")[0]
    query = list(received.args.items(multi=True))
    answer = send(Request(received.method, path, query, headers, text or None))
    told = {name: value for name, value in answer.headers.items() if name.title() not in OF_CONNECTIONS}
    return Response(answer.text, answer.status, told)(environ, start_response)


@contextmanager
def served() -> Iterator[str]:
    """The address. One request is answered at a time."""
    server = make_server("127.0.0.1", 0, application, request_handler=Quiet)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
