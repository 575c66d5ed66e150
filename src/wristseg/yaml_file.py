"""Read YAML files that people write: a name that stands twice is an error, not the last one's.

In: a file. Out: plain values. Called by ``classes`` and ``observation``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wristseg.errors import DataError

__all__ = ["read_yaml"]


def read_yaml(path: Path) -> Any:
    """Return what a YAML or JSON file holds; no Python objects are made of it.

    Raises:
        DataError: The file cannot be read, is no YAML, or gives one name two values.
    """
    import yaml  # few commands need it

    class Unique(yaml.SafeLoader):
        """YAML 1.2 forbids equal keys (https://yaml.org/spec/1.2.2, 3.2.1.1); PyYAML does not."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            twice = sorted({name for name in names if names.count(name) > 1} - {"<<"})
            if twice:
                problem = f"{', '.join(twice)} stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
            found: dict[Any, Any] = super().construct_mapping(node, deep)
            return found

    try:
        # A subclass of SafeLoader makes no Python objects either.
        return yaml.load(path.read_text(encoding="utf-8"), Loader=Unique)  # noqa: S506
    except FileNotFoundError as error:
        raise DataError(path, "no such file") from error
    except (OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
        raise DataError(path, f"not readable as YAML: {error}") from error
