"""Bodies of requests: bounded in size and time, and exactly of the form that the page sends.

Called by ``review.app``; what breaks a rule is answered with 4xx and changes nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, NoReturn

from starlette.exceptions import HTTPException
from starlette.requests import Request

from wristseg.review.marks import Change

__all__ = ["BODY_S", "MAX_BODY_BYTES", "changes", "frame_numbers", "read_object", "version"]

MAX_BODY_BYTES = 1_000_000

#: Seconds for a whole body to arrive.
BODY_S = 10.0

_KINDS = ("grasp", "excluded")


async def read_object(request: Request, keys: set[str]) -> dict[str, Any]:
    """Read a JSON object that has exactly these keys.

    Raises:
        HTTPException: 400 for another form, 408 for one that is slow, 413 for one that is large.
    """
    body = await _read_body(request)
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "the body is no JSON") from error
    if not isinstance(value, dict) or set(value) != keys:
        raise HTTPException(400, f"expected an object with exactly the keys {sorted(keys)}")
    return value


def version(value: Mapping[str, Any]) -> int:
    """Return the version that a change was made on.

    Raises:
        HTTPException: 400: not a whole number.
    """
    return _whole(value["version"], "version")


def changes(value: Mapping[str, Any], *, frames: int) -> list[Change]:
    """Return what ``{"changes": [{"frame": 3, "grasp": true}, ...]}`` asks for.

    Raises:
        HTTPException: 400: another form, or a frame that is not in the table.
    """
    found = []
    for item in _list(value["changes"], "changes"):
        kinds = [kind for kind in _KINDS if isinstance(item, dict) and set(item) == {"frame", kind}]
        if not kinds or not isinstance(item[kinds[0]], bool):
            raise HTTPException(400, 'expected changes like {"frame": 3, "grasp": true}')
        number = _frame(item["frame"], frames)
        found.append(Change(number, "grasp" if kinds[0] == "grasp" else "excluded", item[kinds[0]]))
    return found


def frame_numbers(value: Mapping[str, Any], *, frames: int) -> list[int]:
    """Return the numbers of ``{"frames": [3, 4]}``.

    Raises:
        HTTPException: 400: another form, or a frame that is not in the table.
    """
    return [_frame(number, frames) for number in _list(value["frames"], "frames")]


async def _read_body(request: Request) -> bytes:
    said = request.headers.get("content-length", "0")
    if not said.isdigit() or int(said) > MAX_BODY_BYTES:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise _too_large()
    except TimeoutError as error:
        raise HTTPException(
            408, f"the body took longer than {BODY_S:g} s", {"connection": "close"}
        ) from error
    return bytes(body)


def _too_large() -> HTTPException:
    text = f"expected at most {MAX_BODY_BYTES} bytes"
    return HTTPException(413, text, {"connection": "close"})


def _refuse_constant(token: str) -> NoReturn:
    raise ValueError(f"{token} is no JSON")


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise HTTPException(400, f"{name}: expected a list")
    return value


def _whole(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise HTTPException(400, f"{name}: expected a whole number")
    return value


def _frame(value: Any, frames: int) -> int:
    number = _whole(value, "frame")
    if not 0 <= number < frames:
        raise HTTPException(400, f"frame: expected 0 to {frames - 1}")
    return number
