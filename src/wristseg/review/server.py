"""Stage `wristseg review`: serve the page until it is stopped.

In comes a data set, perhaps with a model; what changes is `selections.json` and `excluded.json`.
The server listens on this machine alone unless told otherwise. Called by ``cli.review``.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from wristseg.artifacts import sweep_temporaries
from wristseg.configs import ReviewConfig
from wristseg.errors import UsageError
from wristseg.interruption import raise_lost_signal, signals_deferred
from wristseg.lock import hold_lock
from wristseg.review.app import Review, build_app
from wristseg.review.connections import BoundedProtocol
from wristseg.review.frames import FrameTable, require_writable
from wristseg.review.guard import Access
from wristseg.review.looked import LookedAt
from wristseg.review.marks import MarkStore
from wristseg.review.model import AwaitedModel
from wristseg.review.pictures import Pictures
from wristseg.review.redraw import Redraw
from wristseg.review.scan import Scan

__all__ = ["make_server", "open_review", "serve_review"]

#: Seconds that answers under way have when the server is stopped.
_GRACE_S = 2


def serve_review(config: ReviewConfig, model: AwaitedModel | None, *, cache: Path) -> int:
    """Serve the page until SIGINT or SIGTERM.

    Args:
        config: Where the data set lies and where to listen.
        model: What predicts masks, made ready while the page is open; or None.
        cache: Folder for thumbnails, masks and progress.

    Returns:
        The exit code, should the server end by itself.

    Raises:
        UsageError: An input is not there, marks could not be saved, the port is taken, or the data
            set is open in another review.
        DataError: The data set's folder or marks cannot be read.
        WristsegError: What the model's loading raised, after the server was stopped by it.
        KeyboardInterrupt: SIGINT came.
        Terminated: SIGTERM came, where the command lets it raise.
    """
    with open_review(config, model, cache=cache) as review, _listening(config) as listener:
        access = Access(listener.getsockname()[1], config.host)
        server = make_server(review, access)
        _announce(review, config, access.url(access.token))
        if not config.no_open and _has_screen():
            url = access.url(access.token_for_once())
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        raise_lost_signal()
        # A signal's exception inside an import here would keep the import's lock, and these
        # threads, which import as well, would wait for it for good.
        with signals_deferred(server.stop_soon):
            review.scan.start()
            if model is not None:
                model.start(review.table.classes, server.stop_soon)
            server.run(sockets=[listener])
        if model is not None and model.error is not None:
            raise model.error
    return 0


@contextlib.contextmanager
def open_review(
    config: ReviewConfig, model: AwaitedModel | None, *, cache: Path
) -> Iterator[Review]:
    """Read a data set and yield what the server works on; one review at a time has it.

    Raises:
        UsageError, DataError: As for ``serve_review``.
    """
    paths = config.dataset()
    table = FrameTable.of(paths)
    folder = config.dataset_path.resolve()
    selections = table.layout.selections or folder / "selections.json"
    excluded = table.layout.excluded or folder / "excluded.json"
    digest = hashlib.sha256(f"{selections.resolve()}|{excluded.resolve()}".encode()).hexdigest()
    own = cache / digest[:16]
    own.mkdir(parents=True, exist_ok=True)
    busy = f"{folder}: is open in another wristseg review; use that page, or stop it"
    with hold_lock(own / "lock", otherwise=busy):
        for path in (selections, excluded):
            require_writable(path.resolve())
            sweep_temporaries(path.resolve().parent, of=path.resolve())
        marks = MarkStore(table.frames, selections=selections, excluded=excluded)
        stems = [frame.candidate.stem for frame in table.frames]
        pictures = Pictures(table, cache / "pictures", model)
        review = Review(
            name=folder.name,
            model=model,
            table=table,
            marks=marks,
            looked=LookedAt(own / "looked_at.json", stems),
            pictures=pictures,
            scan=Scan(table, pictures),
            redraw=None if table.layout.annotations is None else Redraw(paths),
        )
        try:
            yield review
        finally:
            if model is not None:
                model.stop()
            review.scan.stop()


def make_server(review: Review, access: Access) -> _Server:
    """Return a server; run it with a listening socket."""
    server_config = uvicorn.Config(
        build_app(review, access),
        http=BoundedProtocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        # uvicorn's own set-up closes the handlers of everything else in the process.
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=_GRACE_S,
    )
    return _Server(server_config, review)


class _Server(uvicorn.Server):
    """uvicorn that ends a run of `wristseg masks` with itself."""

    def __init__(self, config: uvicorn.Config, review: Review) -> None:
        super().__init__(config)
        self._review = review

    def stop_soon(self) -> None:
        """End as on Ctrl-C; from any thread."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._review.redraw is not None:
            await self._review.redraw.stop()
        await super().shutdown(sockets)


@contextlib.contextmanager
def _listening(config: ReviewConfig) -> Iterator[socket.socket]:
    address = ipaddress.ip_address(config.host)
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    # Named as TCP, or asyncio would not send answers at once (TCP_NODELAY): 45 ms each.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        # A server that was stopped leaves its port waiting for a minute.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((config.host, config.port))
            listener.listen()  # a browser that is quicker than the server waits
        except OSError as error:
            raise UsageError(
                f"{config.host} port {config.port}: {error.strerror}; give another --port, or 0"
                " for any that is free"
            ) from error
        yield listener


def _has_screen() -> bool:
    # Without one, Python would start a text browser in the terminal that Ctrl-C is meant for.
    named = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    return named or sys.platform == "darwin"


def _announce(review: Review, config: ReviewConfig, url: str) -> None:
    if config.allow_remote:
        print(
            f"warning: {config.host} can be reached from other machines, and what is sent is not"
            " encrypted; whoever has the address below can change the marks",
            file=sys.stderr,
        )
    print(f"{config.dataset_path}: {len(review.table)} frames")
    print(f"open {url}")
    print("Ctrl-C stops; every mark is saved when the page shows it as saved", flush=True)
