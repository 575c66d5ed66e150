"""Frames of LeRobot data sets for ``wristseg frames --lerobot``, each episode a recording.

In: folders of data sets. Out: ``InputFrame``s called ``<data set>_ep0003_frame_0042``, so that
``--split-by recording`` keeps an episode on one side. Called by ``cli.frames``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from wristseg.data.names import frame_stem
from wristseg.errors import DataError, UsageError
from wristseg.labeling.config import FramesConfig
from wristseg.labeling.inputs import InputFrame, Wanted, frame_name
from wristseg.lerobot.dataset import CameraFile, camera_files
from wristseg.lerobot.frames import episode_frames, open_frames
from wristseg.lerobot.info import DatasetInfo

__all__ = ["EpisodeFrames", "chosen_episodes"]


class EpisodeFrames:
    """Iterates once over frames of one camera, episode by episode.

    Args:
        config: Names the data sets, the camera and the episodes.
        wanted: Makes the choice for one episode.

    Raises:
        UsageError: A folder is no LeRobot data set, two have one name, or there is no such camera
            or episode.
        DataError: A data set breaks a rule.
        MissingExtraError: The format needs pyarrow, which is not installed.
    """

    def __init__(self, config: FramesConfig, wanted: Callable[[], Wanted]) -> None:
        self.problems: list[str] = []
        self._wanted = wanted
        self._episodes = config.episodes
        self._sets: list[tuple[DatasetInfo, list[CameraFile]]] = []
        self._names: dict[str, Path] = {}
        for text in dict.fromkeys(config.inputs):
            info = DatasetInfo.read(Path(text).expanduser())
            self._take_name(info.root)
            videos = camera_files(info, info.camera(config.camera))
            self._sets.append((info, [video for video in videos if self._of(video)]))
        if not self.paths:
            raise UsageError(f"--episodes {config.episodes}: there is no such episode")

    @property
    def paths(self) -> Sequence[Path]:
        """Videos and tables that are read."""
        return [video.path for _, videos in self._sets for video in videos]

    def __iter__(self) -> Iterator[InputFrame]:
        for info, videos in self._sets:
            for video in videos:
                try:
                    yield from self._video(info, video)
                except DataError as error:
                    self.problems.append(str(error))

    def expected(self, every: int) -> int:
        """Return about how many frames will come.

        Args:
            every: How many frames of an episode there are to one that is wanted.
        """
        wanted = (self._of(video) for _, videos in self._sets for video in videos)
        return sum(length // every for lengths in wanted for length in lengths.values())

    def _of(self, video: CameraFile) -> dict[int, int]:
        """Return the episodes of a video that were asked for, with their lengths."""
        lengths = {span.episode: span.length for span in video.spans}
        if self._episodes is None:
            return lengths
        return {n: lengths[n] for n in lengths if chosen_episodes(self._episodes, n)}

    def _video(self, info: DatasetInfo, video: CameraFile) -> Iterator[InputFrame]:
        asked = self._of(video)
        wanted = {episode: self._wanted() for episode in asked}
        missing: list[str] = []
        name = _name(info.root)
        with open_frames(video, info.fps) as reader:
            for placed in episode_frames(reader, video, info.fps, missing):
                time_s = placed.number / info.fps
                if placed.episode in asked and wanted[placed.episode](placed.number, time_s):
                    stem = frame_name(f"{name}_ep{placed.episode:04d}", placed.number)
                    rgb = placed.frame.rgb
                    yield InputFrame(stem, rgb, video.path, placed.number, time_s, placed.episode)
            self.problems += [f"{video.path}: {text}" for text in reader.problems + missing]

    def _take_name(self, root: Path) -> None:
        name = _name(root)
        other = self._names.setdefault(name.casefold(), root)
        if other != root:
            raise UsageError(f"{other} and {root}: both give frames {name}_...; rename one of them")


def chosen_episodes(text: str, episode: int) -> bool:
    """Tell whether an episode is among those that ``--episodes`` lists.

    >>> [n for n in range(8) if chosen_episodes("0:2,6", n)]
    [0, 1, 6]
    """
    for part in text.split(","):
        first, _, end = part.partition(":")
        if int(first) <= episode < (int(end) if end else int(first) + 1):
            return True
    return False


def _name(root: Path) -> str:
    return frame_stem(root.resolve().name)
