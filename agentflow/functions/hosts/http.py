"""Functions over HTTP on this machine: to try them, and for emulators of clouds that call HTTP.

    python -m agentflow.functions.hosts.http functions.text.count_words --port 8080

`POST /` with a payload (see `calls`), or `POST /functions.text.count_words` with the arguments,
answers the value, or `{"name", "message", "data", "cause"}` with a status that is no success.
It listens on loopback only and takes JSON only, so that no page in a browser can call it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

from agentflow.errors import Fault, Json
from agentflow.functions.encoding import dump
from agentflow.functions.hosts.calls import Host, Setting, lines_to
from agentflow.functions.invoke import prepare

LARGEST = 64 * 1024 * 1024
"""Bytes of a request."""
_LOCAL = frozenset({"127.0.0.1", "localhost"})

_STATUS = {
    "InvalidInput": HTTPStatus.BAD_REQUEST,
    "FunctionNotFound": HTTPStatus.NOT_FOUND,
}
"""Of other named errors: 500."""


class _Server(ThreadingHTTPServer):
    """Has the host that its requests are for."""

    daemon_threads = True

    def __init__(self, host: Host, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Request)
        self.host = host


class _Request(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        """Call a function."""
        try:
            status, value = HTTPStatus.OK, self.server.host.answer(self._payload())
        except Fault as fault:
            default = HTTPStatus.INTERNAL_SERVER_ERROR
            status, value = _STATUS.get(fault.name, default), fault.value()
        self._answer(status, value)

    def _answer(self, status: int, value: Json) -> None:
        body = dump(value)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _payload(self) -> Json:
        data = self._body()
        if urlsplit(f"//{self.headers.get('Host', '')}").hostname not in _LOCAL:
            raise Fault("InvalidInput", "the request is not for this machine")
        if self.headers.get_content_type() != "application/json":
            raise Fault("InvalidInput", "the request's content type is not application/json")
        try:
            content = _read(data) if data else None
        except (ValueError, RecursionError) as error:
            raise Fault("InvalidInput", f"the request is not JSON: {error}") from None
        function = unquote(urlsplit(self.path).path).strip("/")
        return {"function": function, "arguments": content} if function else content

    def _body(self) -> bytes:
        """The body, read whatever comes of it, so that the connection can go on."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > LARGEST:
            self.close_connection = True
            problem = f"the request has more than {LARGEST:,} bytes, or does not say how many"
            raise Fault("InvalidInput", problem)
        return self.rfile.read(int(length))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no call at all, such as GET, as everything else: in JSON."""
        del explain
        self.close_connection = True
        self._answer(code, Fault("InvalidInput", message or HTTPStatus(code).phrase).value())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the host logs its calls."""


def _read(data: bytes) -> Json:
    """JSON as it is defined: Python's reader would take `NaN` and what is beyond all numbers."""
    return json.loads(data, parse_constant=_finite, parse_float=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no finite number")
    return number


@contextmanager
def serving(setting: Setting, port: int = 0) -> Iterator[str]:
    """Serve functions while the block runs; gives the URL. Port 0 is any that is free."""
    host = Host(setting, write=lines_to(sys.stderr))
    server = _Server(host, port)
    thread = Thread(target=server.serve_forever, args=(0.02,), name="agentflow-http", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        host.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve functions until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m agentflow.functions.hosts.http")
    parser.add_argument("functions", nargs="+", metavar="FUNCTION", help="an import path")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--root", default=os.getcwd(), help="the project's folder")  # noqa: PTH109  # a text, as paths on sys.path are
    given = parser.parse_args(arguments)
    root = os.path.realpath(given.root)  # traces show files as they are from there
    try:
        for function in given.functions:
            prepare(function, root)
        with serving(Setting(given.functions, root), given.port) as url:
            print(f"POST {url}/FUNCTION with JSON arguments; Ctrl-C ends it.", file=sys.stderr)  # noqa: T201  # this is a program
            with suppress(KeyboardInterrupt):
                while True:  # a wait without end may not hear of it
                    time.sleep(1)
    except Fault as fault:
        parser.error(fault.message)
    except (OSError, OverflowError) as error:
        parser.error(f"cannot listen on port {given.port}: {error}; choose another with --port")


if __name__ == "__main__":
    main()
