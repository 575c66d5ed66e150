"""Who may ask the review server for what: checked for each request, before anything is looked up.

The server is on this machine alone, and yet every web page that is open in the browser can send
requests to it. So a request has to come to the right host name (DNS rebinding), from the page's own
origin if it changes anything (cross-site requests), and with the session's cookie (other users of
this machine). Refusals say what to do and nothing else. Called by ``review.app``.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any

__all__ = ["OPENING_PATH", "Access", "Guard", "Refusal"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

#: The page sends it with each change; a form or a link of another page cannot.
HEADER = b"x-wristseg-review"

OPENING_PATH = "/open"

_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")

_RESPONSE_HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'none'; img-src 'self'; script-src 'self'; style-src 'self'; "
        b"connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


@dataclass(frozen=True)
class Refusal:
    """An answer of 4xx and what it says."""

    status: int
    text: str


@dataclass(frozen=True)
class Access:
    """What a request needs to be let in.

    Attributes:
        port: Port of the server.
        address: Address that the server listens on.
        token: Opens the page, once it stands in the address that was printed.
        session: What the cookie holds from then on.
        used_once: Tokens that open the page a single time.
    """

    port: int
    address: str = "127.0.0.1"
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    used_once: set[str] = field(default_factory=set, repr=False)

    @property
    def hosts(self) -> frozenset[str]:
        """What may stand in ``Host``."""
        own = f"[{self.address}]" if ":" in self.address else self.address
        return frozenset(f"{name}:{self.port}" for name in (*_LOOPBACK_NAMES, own))

    @property
    def cookie_name(self) -> str:
        """The cookie's name; cookies know no ports, so two servers need two names."""
        return f"wristseg_review_{self.port}"

    def url(self, token: str) -> str:
        """Return the address that opens the page with a token."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{self.port}{OPENING_PATH}?token={token}"

    def token_for_once(self) -> str:
        """Return a token for a command line, which every user of this machine can read."""
        token = secrets.token_urlsafe(32)
        self.used_once.add(token)
        return token

    def opens(self, token: str) -> bool:
        """Tell whether a token opens the page: the printed one, or one for once."""
        once = next((known for known in self.used_once if _equal(token, known)), None)
        if once is not None:
            self.used_once.discard(once)
        return once is not None or _equal(token, self.token)

    def refuse(
        self, method: str, path: str, headers: Iterable[tuple[bytes, bytes]]
    ) -> Refusal | None:
        """Return why a request is not let in, or None if it is."""
        found: dict[bytes, list[str]] = {}
        for name, value in headers:
            found.setdefault(name.lower(), []).append(value.decode("latin-1"))
        if len(found.get(b"host", ())) != 1 or found[b"host"][0] not in self.hosts:
            return Refusal(403, "wrong host: open the address that wristseg review printed")
        if method not in {"GET", "HEAD", "POST"}:
            return Refusal(405, "method not allowed")
        if method == "POST" and not self._is_of_page(found):
            return Refusal(403, "changes are taken from the review page alone")
        if path != OPENING_PATH and not self._has_session(found):
            return Refusal(403, "no session: open the address that wristseg review printed")
        if method == "POST" and not _is_json(found):
            return Refusal(415, "expected Content-Type: application/json")
        return None

    def _is_of_page(self, found: dict[bytes, list[str]]) -> bool:
        origins = found.get(b"origin", [])
        return (
            len(origins) == 1
            and origins[0].removeprefix("http://") in self.hosts
            and origins[0].startswith("http://")
            and found.get(b"sec-fetch-site", ["same-origin"]) == ["same-origin"]
            and found.get(HEADER) == ["1"]
        )

    def _has_session(self, found: dict[bytes, list[str]]) -> bool:
        for text in found.get(b"cookie", ()):
            cookies: SimpleCookie = SimpleCookie()
            try:
                cookies.load(text)
            except CookieError:
                continue
            morsel = cookies.get(self.cookie_name)
            if morsel is not None and _equal(morsel.value, self.session):
                return True
        return False


class Guard:
    """Lets requests through to an app, or answers them itself; every answer gets safe headers.

    Args:
        app: The ASGI app behind it.
        access: What a request needs.
    """

    def __init__(self, app: App, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']}: only HTTP is served")

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_RESPONSE_HEADERS]
            await send(message)

        refusal = self._access.refuse(scope["method"], scope["path"], scope["headers"])
        if refusal is None:
            await self._app(scope, receive, send_safely)
            return
        body = refusal.text.encode() + b"\n"
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send_safely(
            {"type": "http.response.start", "status": refusal.status, "headers": headers}
        )
        body = b"" if scope["method"] == "HEAD" else body
        await send_safely({"type": "http.response.body", "body": body})


def _is_json(found: dict[bytes, list[str]]) -> bool:
    types = found.get(b"content-type", [])
    return len(types) == 1 and types[0].partition(";")[0].strip().lower() == "application/json"


def _equal(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(), secret.encode())
