"""Parquet tables of a data set, through pyarrow, which is loaded when the first one is met.

Called by the modules of this stage; everything that knows pyarrow lies here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wristseg.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["column_names", "iterate_rows", "read_rows", "write_with_columns"]

#: Rows with images are large: 32 of 640x480 are about 15 MB.
_ROWS_AT_ONCE = 32


def column_names(path: Path) -> list[str]:
    """Return the names of a table's columns.

    Raises:
        DataError: The file is no Parquet table.
        MissingExtraError: pyarrow is not installed.
    """
    parquet = _parquet()
    with _naming(path):
        return list(parquet.read_schema(path).names)


def read_rows(path: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of a table, with these columns alone.

    Raises:
        DataError: The file is no Parquet table, or lacks one of the columns.
        MissingExtraError: pyarrow is not installed.
    """
    _require_columns(path, columns)
    with _naming(path):
        rows: list[dict[str, Any]] = _parquet().read_table(path, columns=list(columns)).to_pylist()
    return rows


def iterate_rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table one by one, few of them in memory; else as ``read_rows``."""
    _require_columns(path, columns)
    with _naming(path), _parquet().ParquetFile(path) as table:
        for batch in table.iter_batches(batch_size=_ROWS_AT_ONCE, columns=list(columns)):
            yield from batch.to_pylist()


def _require_columns(path: Path, columns: Sequence[str]) -> None:
    missing = sorted(set(columns) - set(column_names(path)))
    if missing:
        raise DataError(path, [f"has no column {name}" for name in missing])


def write_with_columns(
    source: Path, target: Path, columns: Mapping[str, tuple[str | None, Sequence[Any]]]
) -> None:
    """Write a table again with further columns, and check that nothing else has changed.

    Args:
        source: The table; it is only read.
        target: Where the larger one goes.
        columns: Name of a new column to the column whose type it gets, None for double, and its
            values by row.

    Raises:
        DataError: The table cannot be read, or read back.
    """
    parquet = _parquet()
    with _naming(source):
        table = parquet.read_table(source)
        larger = _appended(table, columns)
    parquet.write_table(larger, target, compression="snappy")
    with _naming(target):
        written = parquet.read_table(target)
    kept = written.select(table.schema.names)
    if not written.equals(larger) or not kept.equals(table):
        raise DataError(target, "reads back in another way than it was written; check the disk")


def _appended(table: pa.Table, columns: Mapping[str, tuple[str | None, Sequence[Any]]]) -> pa.Table:
    import pyarrow as pa

    for name, (model, values) in columns.items():
        kind = pa.float64() if model is None else table.schema.field(model).type
        table = table.append_column(name, pa.array(values, type=kind))
    return table


class _naming:  # noqa: N801
    """Turns pyarrow's errors inside a ``with`` block into a ``DataError`` of the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: object, _trace: object) -> None:
        import pyarrow as pa

        if kind is not None and issubclass(kind, (pa.ArrowException, OSError)):
            raise DataError(self._path, f"is no Parquet table that can be read: {error}") from None


def _parquet() -> Any:
    try:
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "pyarrow", "lerobot") from error
    return pyarrow.parquet
