"""The review server's answers: the page's files, the state, pictures by frame number, changes.

    GET  /open?token=...                   opens the page: sets the cookie, leads to /
    GET  /, /static/<name>                 the page
    GET  /api/state                        everything that does not change, and the marks
    GET  /api/news?version=3&found=120     marks if they changed, findings after the first 120
    GET  /api/frames/7/image, /thumbnail, /model, /labels/<draw order>
    POST /api/marks, /api/undo, /api/redo  changes of one version; 409 if that is not the newest
    POST /api/looked, /api/masks           frames looked at; draw the masks again

``Guard`` stands before all of it. Called by ``review.server``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from wristseg.errors import DataError
from wristseg.review.frames import FrameTable
from wristseg.review.guard import OPENING_PATH, Access, Guard
from wristseg.review.looked import LookedAt
from wristseg.review.marks import Marks, MarkStore, StaleVersionError
from wristseg.review.model import AwaitedModel
from wristseg.review.pictures import Pictures
from wristseg.review.redraw import Redraw
from wristseg.review.requests import changes, frame_numbers, read_object, version
from wristseg.review.scan import Finding, Scan

__all__ = ["Review", "build_app"]

_STATIC = Path(__file__).parent / "static"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

#: Findings of one answer; the page asks again at once while there are more.
_FINDINGS_PER_ANSWER = 2000

_logger = logging.getLogger("wristseg.review")


@dataclass(frozen=True)
class Review:
    """All that the server works on.

    Attributes:
        name: Name of the data set, as the page shows it.
        model: The model, perhaps not ready yet; or None.
        table: Its frames.
        marks: Its marks.
        looked: What was looked at.
        pictures: Pictures of the frames.
        scan: What the background thread found.
        redraw: Draws masks again; None where masks are the input.
    """

    name: str
    model: AwaitedModel | None
    table: FrameTable
    marks: MarkStore
    looked: LookedAt
    pictures: Pictures
    scan: Scan
    redraw: Redraw | None


def build_app(review: Review, access: Access) -> Guard:
    """Return the whole app, guarded."""
    answers = _Answers(review, access)
    routes = [
        Route(OPENING_PATH, answers.open),
        Route("/", answers.page),
        Route("/static/{name}", answers.static),
        Route("/api/state", answers.state),
        Route("/api/news", answers.news),
        Route("/api/frames/{number:int}/image", answers.image),
        Route("/api/frames/{number:int}/thumbnail", answers.thumbnail),
        Route("/api/frames/{number:int}/model", answers.model),
        Route("/api/frames/{number:int}/labels/{tag}", answers.labels),
        Route("/api/marks", answers.edit, methods=["POST"]),
        Route("/api/undo", answers.undo, methods=["POST"]),
        Route("/api/redo", answers.redo, methods=["POST"]),
        Route("/api/looked", answers.look, methods=["POST"]),
        Route("/api/masks", answers.redraw, methods=["POST"]),
    ]
    handlers: dict[Any, Any] = {
        HTTPException: _told,
        StaleVersionError: answers.stale,
        DataError: _unusable,
        OSError: _not_written,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Guard(app, access)


class _Answers:
    """One method per route."""

    def __init__(self, review: Review, access: Access) -> None:
        self._review = review
        self._access = access
        # Read once: what a request names is looked up here and never becomes a path.
        self._static = {
            path.name: (path.read_bytes(), _TYPES[path.suffix])
            for path in _STATIC.iterdir()
            if path.suffix in _TYPES
        }

    def open(self, request: Request) -> Response:
        """Exchange the token for the cookie."""
        if not self._access.opens(request.query_params.get("token", "")):
            raise HTTPException(403, "wrong token: open the address that wristseg review printed")
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(
            self._access.cookie_name,
            self._access.session,
            httponly=True,
            samesite="strict",
            path="/",
        )
        return answer

    def page(self, request: Request) -> Response:  # noqa: ARG002
        """Return the page itself."""
        return _file(self._static["index.html"])

    def static(self, request: Request) -> Response:
        """Return a script, a style sheet or a picture of the page."""
        found = self._static.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404, "no such file")
        return _file(found)

    def state(self, request: Request) -> Response:  # noqa: ARG002
        """Return what the page starts with."""
        self._review.scan.make_way()
        table = self._review.table
        classes = zip(table.classes.names, table.classes.colors_rgb, strict=True)
        frames = [
            {
                "name": frame.file_name,
                "recording": frame.recording,
                "size_hw": frame.candidate.size_hw,
                "labelled": frame.candidate.labelled,
                "problems": frame.problems,
            }
            for frame in table.frames
        ]
        return JSONResponse(
            {
                "dataset": self._review.name,
                "model": None if self._review.model is None else self._review.model.name,
                "model_ready": self._model_ready(),
                "can_redraw": self._review.redraw is not None,
                "classes": [{"name": name, "color_rgb": color} for name, color in classes],
                "orders": {tag: list(o) for tag, o in table.classes.draw_orders.items()},
                "problems": table.problems,
                "frames": frames,
                "looked": self._review.looked.numbers(),
                "marks": _marks(self._review.marks.marks()),
            }
        )

    def news(self, request: Request) -> Response:
        """Return what is new since the page asked last."""
        known, position = (_query_number(request, name) for name in ("version", "found"))
        marks = self._review.marks.marks()
        scan = self._review.scan.state  # before its findings, which may be more by then
        found = self._review.scan.found_since(position)
        redraw = self._review.redraw
        return JSONResponse(
            {
                "marks": None if marks.version == known else _marks(marks),
                "findings": [_finding(finding) for finding in found[:_FINDINGS_PER_ANSWER]],
                "more": len(found) > _FINDINGS_PER_ANSWER,
                "scan": asdict(scan),
                "model_ready": self._model_ready(),
                "redraw": None if redraw is None else asdict(redraw.state),
            }
        )

    def image(self, request: Request) -> Response:
        """Return a frame's picture."""
        return _jpeg(self._review.pictures.image(self._number(request)))

    def thumbnail(self, request: Request) -> Response:
        """Return a frame's thumbnail, with its label where ``?labels=<draw order>`` says so."""
        tag = request.query_params.get("labels")
        if tag is not None:
            self._require_order(tag)
        return _jpeg(self._review.pictures.thumbnail(self._number(request), tag))

    def model(self, request: Request) -> Response:
        """Return the model's class ids."""
        if self._review.model is None:
            raise HTTPException(404, "no model: start wristseg review with --checkpoint")
        number = self._number(request)
        if not self._model_ready():
            raise HTTPException(503, f"{self._review.model.name} is being made ready")
        return _ids(self._review.pictures.prediction(number))

    def labels(self, request: Request) -> Response:
        """Return a label's class ids in one draw order."""
        tag = request.path_params["tag"]
        self._require_order(tag)
        return _ids(self._review.pictures.labels(self._number(request), tag))

    async def edit(self, request: Request) -> Response:
        """Mark frames."""
        value = await read_object(request, {"version", "changes"})
        wanted = changes(value, frames=len(self._review.table))
        return await _in_thread(
            lambda: _marks(self._review.marks.edit(version(value), wanted)),
        )

    async def undo(self, request: Request) -> Response:
        """Take the last change back."""
        return await self._travel(request, self._review.marks.undo)

    async def redo(self, request: Request) -> Response:
        """Make it again."""
        return await self._travel(request, self._review.marks.redo)

    async def look(self, request: Request) -> Response:
        """Remember which frames were looked at."""
        value = await read_object(request, {"frames"})
        numbers = frame_numbers(value, frames=len(self._review.table))

        def add() -> dict[str, Any]:
            self._review.looked.add(numbers)
            return {}

        return await _in_thread(add)

    async def redraw(self, request: Request) -> Response:
        """Begin to draw the masks again."""
        await read_object(request, set())
        if self._review.redraw is None:
            raise HTTPException(409, "this data set comes with its masks: nothing to draw")
        self._review.redraw.start()
        return JSONResponse(asdict(self._review.redraw.state))

    async def stale(self, request: Request, error: Exception) -> Response:  # noqa: ARG002
        """Say that somebody else was faster, and what the marks are."""
        marks = await run_in_threadpool(self._review.marks.marks)
        return JSONResponse({"error": str(error), "marks": _marks(marks)}, 409)

    async def _travel(
        self, request: Request, travel: Callable[[int], tuple[Marks, tuple[int, ...]]]
    ) -> Response:
        known = version(await read_object(request, {"version"}))

        def answer() -> dict[str, Any]:
            marks, frames = travel(known)
            return {**_marks(marks), "frames": frames}

        return await _in_thread(answer)

    def _model_ready(self) -> bool:
        return self._review.model is not None and self._review.model.ready is not None

    def _number(self, request: Request) -> int:
        self._review.scan.make_way()
        number: int = request.path_params["number"]
        if number >= len(self._review.table):
            raise HTTPException(404, "no such frame")
        return number

    def _require_order(self, tag: str) -> None:
        if tag not in self._review.table.classes.draw_orders:
            raise HTTPException(404, "no such draw order")


def _marks(marks: Marks) -> dict[str, Any]:
    return {
        "version": marks.version,
        "grasp": sorted(marks.grasp),
        "excluded": sorted(marks.excluded),
        "can_undo": marks.can_undo,
        "can_redo": marks.can_redo,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    fits = {tag: [round(a.iou, 4), a.worst] for tag, a in finding.agreements.items()}
    return {
        "frame": finding.number,
        "fault": finding.fault,
        "differs": finding.differs,
        "fits": fits,
        "hints": {tag: asdict(hint) for tag, hint in finding.hints.items()},
    }


async def _in_thread(work: Callable[[], dict[str, Any]]) -> Response:
    return JSONResponse(await run_in_threadpool(work))


def _file(found: tuple[bytes, str]) -> Response:
    return Response(found[0], headers={"content-type": found[1]})


def _jpeg(content: bytes) -> Response:
    return Response(content, media_type="image/jpeg")


def _ids(content: bytes) -> Response:
    headers = {"content-encoding": "gzip"}
    return Response(content, media_type="application/octet-stream", headers=headers)


def _query_number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise HTTPException(400, f"{name}: expected a whole number")
    return int(text)


def _told(request: Request, error: Exception) -> Response:  # noqa: ARG001
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, dict(error.headers or {}))


def _unusable(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return JSONResponse({"error": str(error)}, 422)


def _not_written(request: Request, error: Exception) -> Response:  # noqa: ARG001
    _logger.warning("%s", error)
    text = error.strerror if isinstance(error, OSError) else None
    return JSONResponse({"error": f"nothing was saved: {text or error}"}, 507)
