"""Connections of the review server: few at a time, and none that keeps it waiting.

uvicorn waits without end for a client that sends its request byte by byte. Here a connection has
ten seconds to send one, and a minute for all of its answer. Handed to uvicorn by ``review.server``.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["ANSWER_S", "MAX_CONNECTIONS", "REQUEST_S", "BoundedProtocol"]

#: A browser opens six to one host.
MAX_CONNECTIONS = 8

#: Seconds for a request's head to arrive, or for an idle connection to be used again.
REQUEST_S = 10.0

#: Seconds from a request's head to the end of its answer.
ANSWER_S = 60.0


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 with limits."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, in the place of an idle one if there are many; else refuse it."""
        if len(self.connections) >= MAX_CONNECTIONS and not self._end_an_idle_one():
            self.transport = transport
            transport.abort()
            return
        super().connection_made(transport)
        self._expire_in(REQUEST_S)

    def data_received(self, data: bytes) -> None:
        """Take bytes; the time for a request ends when its head is there."""
        if self.transport.is_closing():
            return
        waited = self.is_waiting
        super().data_received(data)
        if waited and not self.is_waiting:
            self._expire_in(ANSWER_S)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        if self.is_waiting:
            self._expire_in(REQUEST_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._deadline is not None:
            self._deadline.cancel()
        if self in self.connections:
            super().connection_lost(exc)

    @property
    def is_waiting(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _end_an_idle_one(self) -> bool:
        idle = [c for c in self.connections if isinstance(c, BoundedProtocol) and c.is_waiting]
        if not idle:
            return False
        oldest = min(idle, key=lambda c: 0.0 if c._deadline is None else c._deadline.when())
        oldest.transport.abort()
        self.connections.discard(oldest)
        return True

    def _expire_in(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self.transport.abort)
