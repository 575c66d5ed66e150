"""Every package that is installed has a licence on the list, as its own metadata say."""

from __future__ import annotations

import re
from email.message import Message
from importlib import metadata

import pytest

#: Licences that ask no more than their notice, or cover their own files alone (MPL).
ALLOWED = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC"),
        *("LLVM-exception", "MIT", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Unlicense", "Zlib"),
    }
)

#: What older metadata write instead of SPDX's names.
SPELLED = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "FreeBSD": "BSD-2-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}

#: NVIDIA's libraries, which PyTorch's Linux wheels depend on; we neither name nor ship them.
OF_PYTORCH = re.compile(r"(nvidia|cuda)-[a-z0-9-]+")


def licences(package: Message) -> set[str]:
    """Return the SPDX names of what a package says: expression, classifiers or plain text."""
    said = package.get("License-Expression")
    if said is None:
        marks = [m for m in package.get_all("Classifier", []) if m.startswith("License ::")]
        named = [mark.split(" :: ")[-1] for mark in marks]
        named = [name for name in named if name not in {"OSI Approved", "DFSG approved"}]
        said = " AND ".join(SPELLED.get(name, name) for name in named)
    if not said:
        line = (package.get("License") or "none given").strip().splitlines()[0]
        said = SPELLED.get(line, line)
    # "Apache-2.0 OR GPL-2.0" would be a choice; until there is one, each part has to be allowed.
    return set(re.split(r"\s+(?:AND|OR|WITH)\s+|[()]+", said)) - {""}


def installed() -> dict[str, Message]:
    return {found.metadata["Name"]: found.metadata for found in metadata.distributions()}


def test_every_installed_package_has_an_allowed_licence():
    refused = {
        name: sorted(licences(package) - ALLOWED)
        for name, package in installed().items()
        if licences(package) - ALLOWED and OF_PYTORCH.fullmatch(name) is None
    }
    assert refused == {}


@pytest.mark.parametrize(
    "said",
    [
        {"License-Expression": "AGPL-3.0-only"},
        {"License-Expression": "MIT AND GPL-3.0-or-later"},
        {"Classifier": "License :: OSI Approved :: GNU Affero General Public License v3"},
        {"License": "GPLv2"},
        {},
    ],
    ids=str,
)
def test_other_licences_and_none_are_noticed(said):
    package = Message()
    for key, value in said.items():
        package[key] = value
    assert licences(package) - ALLOWED


def test_what_pytorch_brings_is_let_through_by_name_alone():
    assert OF_PYTORCH.fullmatch("nvidia-cublas")
    assert not OF_PYTORCH.fullmatch("nvidia")
    assert not OF_PYTORCH.fullmatch("not-nvidia-cublas")
