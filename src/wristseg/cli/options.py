"""Read a command line into a config: by itself where it is plain, with tyro otherwise.

tyro takes 0.1 s to load and to look through a dataclass, as long as ``wristseg masks`` needs for
the labels of 100 frames. Most command lines are options with their full names and one value each;
those are read here. Everything else is tyro's: help, mistakes and their messages, short forms and
the types that are not listed here. Called by ``cli.command``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["parse_options"]

ConfigT = TypeVar("ConfigT")

#: Types that are read here, as they are written in the configs, and what their texts look like.
_READERS: dict[str, tuple[type, re.Pattern[str]]] = {
    "Path": (Path, re.compile(r"[^-].*", re.S)),
    "str": (str, re.compile(r"[^-].*", re.S)),
    "int": (int, re.compile(r"\d+")),
    "float": (float, re.compile(r"\d+(\.\d+)?([eE][+-]?\d+)?")),
}


def parse_options(
    config_type: type[ConfigT],
    arguments: Sequence[str],
    *,
    prog: str,
    description: str,
    defaults: Mapping[str, Any] | None = None,
) -> ConfigT:
    """Return the config that the arguments ask for.

    Args:
        config_type: Frozen dataclass whose field docstrings are the help.
        arguments: What follows the command's name.
        prog: Name of the command as typed, for ``--help``.
        description: Text that ``--help`` opens with.
        defaults: Values of fields that are not given, instead of the dataclass's own.

    Raises:
        SystemExit: For ``--help`` and for options that do not parse.
        UsageError: Options contradict each other.
    """
    values = _plain_values(config_type, list(arguments))
    if values is not None:
        return config_type(**{**(defaults or {}), **values})
    import tyro

    # tyro takes MISSING for a field that has to be given, also inside a default.
    missing = {field.name: tyro.MISSING for field in _required(config_type)}
    default: Any = config_type(**{**missing, **defaults}) if defaults else tyro.MISSING_NONPROP
    markers: tuple[Any, ...] = (tyro.conf.FlagCreatePairsOff,)
    if _positional(config_type) is not None:
        markers += (tyro.conf.PositionalRequiredArgs,)
    config: ConfigT = tyro.cli(
        config_type,
        prog=prog,
        description=description,
        args=list(arguments),
        default=default,
        config=markers,
    )
    return config


def _plain_values(config_type: type, arguments: list[str]) -> dict[str, Any] | None:
    """Return the values by field, or None if the line is not plain."""
    fields = {field.name: field for field in dataclasses.fields(config_type)}
    positional = _positional(config_type)
    values: dict[str, Any] = {}
    while arguments:
        name = _field_name(arguments[0])
        if name is None:
            name = positional
        elif name == positional:
            return None
        else:
            del arguments[0]
        if name not in fields or name in values:
            return None
        value = _plain_value(fields[name], arguments)
        if value is None:
            return None
        values[name] = value
    required = {field.name for field in _required(config_type)}
    return values if required <= set(values) else None


def _required(config_type: type) -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(config_type) if f.default is dataclasses.MISSING]


def _field_name(argument: str) -> str | None:
    return argument[2:].replace("-", "_") if re.fullmatch(r"--[a-z0-9-]+", argument) else None


def _plain_value(field: dataclasses.Field[Any], arguments: list[str]) -> Any:
    """Take an option's value from the arguments; None if it has to be looked at more closely."""
    if field.type == "bool" and field.default is False:
        return True
    annotation = str(field.type).removeprefix("Annotated[").removesuffix(", POSITIONAL]")
    reader = _READERS.get(annotation.removesuffix(" | None"))
    # tyro takes the word None for the value where a field may be None.
    if reader is None or not arguments or arguments[0] == "None":
        return None
    convert, pattern = reader
    text = arguments.pop(0)
    return convert(text) if pattern.fullmatch(text) else None


def _positional(config_type: type) -> str | None:
    """Return the field whose value is given without its name."""
    fields = dataclasses.fields(config_type)
    return next((f.name for f in fields if str(f.type).endswith(", POSITIONAL]")), None)
