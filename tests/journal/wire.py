"""A wire between a journal and PostgreSQL that can be cut at the worst moment."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

Moment = Literal["before the commit", "after the commit"]


class Wire:
    """Passes bytes on between clients and a server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._server = (parts.hostname, parts.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._links: set[_Link] = set()
        self._moment: Moment | None = None
        self.cuts = 0
        """How often it was cut."""
        port = self._listener.getsockname()[1]
        self.url = urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}"))
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_at(self, moment: Moment) -> None:
        """Cut at the next commit: before the server gets it, or when it has answered."""
        self._moment = moment

    def cut(self) -> None:
        """Cut all connections now."""
        self.cuts += 1
        links, self._links = self._links, set()
        for link in links:
            link.cut()

    def take_moment(self) -> Moment | None:
        """The moment to cut at, once."""
        moment, self._moment = self._moment, None
        return moment

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(self._server)
                except OSError:
                    client.close()
                else:
                    self._links.add(_Link(self, client, server))


class _Link:
    """One connection that passes through."""

    def __init__(self, wire: Wire, client: socket.socket, server: socket.socket) -> None:
        self._wire = wire
        self._client = client
        self._server = server
        self._holds_answers = False
        for work in (self._pass_requests, self._pass_answers):
            threading.Thread(target=work, daemon=True).start()

    def cut(self) -> None:
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _pass_requests(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._client.recv(65536):
                moment = self._wire.take_moment() if b"COMMIT" in data else None
                if moment == "before the commit":
                    self._wire.cut()
                    return
                self._holds_answers = moment is not None
                self._server.sendall(data)
        self.cut()

    def _pass_answers(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._server.recv(65536):
                if self._holds_answers:
                    self._wire.cut()
                    return
                self._client.sendall(data)
        self.cut()


@contextlib.contextmanager
def wire(url: str) -> Iterator[Wire]:
    """A wire to the server of a database's URL."""
    opened = Wire(url)
    try:
        yield opened
    finally:
        opened.close()
