"""What a frame's file name says: its stem, its name before an export, its recording.

>>> frame_stem("images/grasp_demo1_frame_0042.jpg")
'grasp_demo1_frame_0042'
>>> recording_of("grasp_demo1_frame_0042.jpg")
'grasp_demo1'
"""

from __future__ import annotations

import re
import unicodedata

from wristseg.images import IMAGE_SUFFIXES

__all__ = ["frame_stem", "recording_of", "source_stem"]

_ROBOFLOW = re.compile(r"^(?P<stem>.+?)_(?:jpe?g|png|bmp|webp|tiff?)\.rf\.[0-9A-Za-z]+$", re.I)
#: A hash and ``-`` as a file is uploaded, a hash and ``__`` as it is exported together with images.
_LABEL_STUDIO = re.compile(r"^(?:[0-9a-f]{8}__)?(?:[0-9a-f]{8}-)?(?P<stem>.+)$")
_FRAME_NUMBER = re.compile(r"[\s._-]*(?:(?:frame|image|img)[\s._-]*)?\d+$", re.I)


def frame_stem(name: str) -> str:
    r"""Return a file name without folders (``/`` or ``\``) and without an image suffix.

    Only suffixes of images are cut, so that names with dots stay whole. Accents are composed (NFC):
    macOS takes them apart, and names that look the same must be the same.

    >>> frame_stem("run.2.final")
    'run.2.final'
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    stem, dot, suffix = last.rpartition(".")
    return stem if stem and dot + suffix.lower() in IMAGE_SUFFIXES else last


def source_stem(name: str) -> str:
    """Return the stem that a frame had before Roboflow or Label Studio renamed it.

    >>> source_stem("demo_frame_0042_jpg.rf.0a1b2c3d.jpg")
    'demo_frame_0042'
    >>> source_stem("0a1b2c3d-demo_frame_0042.jpg")
    'demo_frame_0042'
    >>> source_stem("c3d40a1b__0a1b2c3d-demo_frame_0042.jpg")
    'demo_frame_0042'
    """
    stem = frame_stem(name)
    renamed = _ROBOFLOW.match(stem) or _LABEL_STUDIO.match(stem)
    return renamed["stem"] if renamed else stem


def recording_of(name: str) -> str:
    """Return the recording a frame is from: its name without the trailing frame number.

    The number goes with the word ``frame``, ``image`` or ``img`` and the separators before it. A
    name without a number is a recording of its own; frames named by a number alone (``0001.jpg``)
    are all of the recording ``""``.

    >>> recording_of("rec_000123.png"), recording_of("rec-12.jpg"), recording_of("cube.jpg")
    ('rec', 'rec', 'cube')
    """
    return _FRAME_NUMBER.sub("", source_stem(name))
