"""The model whose masks the page lays beside the labels, made ready while the page is open.

It is handed in by the command, so that this stage knows no runtime. Called by ``review.pictures``,
``review.scan`` and ``review.server``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wristseg.classes import ClassTable
from wristseg.errors import UsageError

__all__ = ["AwaitedModel", "Model"]


@dataclass(frozen=True)
class Model:
    """What predicts masks.

    Attributes:
        name: Its file, as the page shows it.
        sha256: What tells it from other models; masks are kept under it.
        classes: Its class table.
        predict_rgb: From (H, W, 3) uint8 RGB to (H, W) uint8 class ids; called from any thread.
    """

    name: str
    sha256: str
    classes: ClassTable
    predict_rgb: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

    def require_classes(self, classes: ClassTable) -> None:
        """Refuse a model of other classes than the data set's.

        Raises:
            UsageError: The names differ.
        """
        if self.classes.names != classes.names:
            own, theirs = ", ".join(self.classes.names), ", ".join(classes.names)
            raise UsageError(
                f"{self.name} predicts {own}; the data set has {theirs}; give a model that was"
                " trained on these classes"
            )


class AwaitedModel:
    """A model that is on its way: a checkpoint may take many seconds when it is first met.

    Args:
        name: Its file, as the page shows it.
        load: Makes it ready, in a thread; gives up and returns None once the event is set.
    """

    def __init__(self, name: str, load: Callable[[threading.Event], Model | None]) -> None:
        self.name = name
        self._load = load
        self._stopped = threading.Event()
        self._settled = threading.Event()
        self._model: Model | None = None
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    @property
    def ready(self) -> Model | None:
        """The model; None as long as it is not there."""
        return self._model

    @property
    def error(self) -> BaseException | None:
        """Why it will never be there, or None."""
        return self._error

    def start(self, classes: ClassTable, on_error: Callable[[], None]) -> None:
        """Begin.

        Args:
            classes: Those of the data set; a model of others is an error.
            on_error: Called, in the thread, if it cannot be had.
        """

        def run() -> None:
            try:
                model = self._load(self._stopped)
                if model is not None:
                    model.require_classes(classes)
                self._model = model
            except BaseException as error:  # the server's thread raises it
                self._error = error
                on_error()
            finally:
                self._settled.set()

        self._thread = threading.Thread(target=run, name="review-model", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Give up, if it is still on its way."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def wait(self, seconds: float) -> bool:
        """Wait at most so long; tell whether it is there, or will never be."""
        return self._settled.wait(seconds)
