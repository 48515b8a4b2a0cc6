"""Which files are meant: paths, patterns, folders and what the names of folders say (`year=2026/`)."""

from __future__ import annotations

import difflib
import glob
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import pyarrow as pa

from codemation.core.errors import ContractError, NodeError
from codemation.core.mistakes import listed
from codemation.nodes.tables.arrow import Column

MISSING: Final = "__HIVE_DEFAULT_PARTITION__"
"""What other programs call the folder of rows that have no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file, and the columns that the folders around it stand for."""

    path: Path
    partition: Mapping[str, str | None] = field(default_factory=dict)


def found(
    items: Sequence[Any], path: str | Path | Sequence[str | Path] | None, suffixes: tuple[str, ...]
) -> list[Found]:
    """The files of `path`, or else of the items; a folder stands for all files in it that have one of the suffixes.

    Raises:
        NodeError: there is none of that name; says where was looked.
    """
    given = _paths_of(items) if path is None else [path] if isinstance(path, str | Path) else list(path)
    if path is not None and not given:
        raise ContractError("path=[] names no file", way_out='path="data/*.csv", or several in a list')
    files = [one for name in given for one in _expanded(str(name), suffixes)]
    return list({one.path: one for one in files}.values())


def _paths_of(items: Iterable[Any]) -> list[str | Path]:
    paths: list[str | Path] = []
    for at, item in enumerate(items):
        held = item if isinstance(item, str | Path) else _field(item)
        if not isinstance(held, str | Path):
            raise ContractError(
                f"item {at} names no file: it is {item!r:.80}",
                way_out="give path=…, or items that are paths or have a field `path`",
            )
        paths.append(held)
    return paths


def _field(item: Any) -> Any:
    return item.get("path") if isinstance(item, Mapping) else getattr(item, "path", None)


def _expanded(name: str, suffixes: tuple[str, ...]) -> list[Found]:
    path = Path(name).expanduser()
    if path.is_dir():
        inside = sorted(one for one in path.rglob("*") if _counts(one.relative_to(path)) and _is_meant(one, suffixes))
        if not inside:
            raise NodeError(f"the folder {path.absolute()} holds no file that ends in {listed(suffixes)}")
        return [_found(one, path) for one in inside]
    if path.is_file():
        return [_found(path, path.parent)]
    if glob.has_magic(str(path)):
        root = _fixed(path)
        matched = sorted(root.glob(str(path.relative_to(root))))
        files = [one for one in matched if one.is_file() and _counts(one.relative_to(root))]
        if not files:
            raise NodeError(f"no file matches {name!r}: looked in {root.absolute()}{_hint(path, root)}")
        return [_found(one, root) for one in files]
    raise NodeError(f"there is no file {path.absolute()}{_hint(path, path.parent)}")


def _fixed(pattern: Path) -> Path:
    """The part of a pattern before its first wildcard."""
    parts: list[str] = []
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts)


def _counts(path: Path) -> bool:
    """Whether a file is no work in progress or note of another program."""
    return not any(part.startswith((".", "_")) for part in path.parts)


def _is_meant(path: Path, suffixes: tuple[str, ...]) -> bool:
    return path.is_file() and any(suffix in path.name for suffix in suffixes)


def _hint(path: Path, folder: Path) -> str:
    if not folder.is_dir():
        return f"; the folder {folder.absolute()} is not there"
    names = sorted(one.name for one in folder.iterdir() if not one.name.startswith("."))
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {listed(names[:8], 'no files')}"


def _found(path: Path, root: Path) -> Found:
    folders = [part.partition("=") for part in path.relative_to(root).parts[:-1]]
    partition = {key: _said(value) for key, equals, value in folders if equals}
    return Found(path=path, partition=partition)


def _said(name: str) -> str | None:
    """What the name of a folder says; it has to be something, so `%00` is the empty text."""
    return None if name == MISSING else "" if name == "%00" else unquote(name)


def together(parts: Sequence[tuple[Found, pa.Table]], *, source: str | None, missing: str) -> pa.Table:
    """One table of all files, with the columns that their folders stand for.

    Raises:
        ContractError: the files have different columns, or columns of types that do not go together.
    """
    kinds = _partition_types([one.partition for one, _ in parts])
    tables = [_with_partition(one, table, kinds) for one, table in parts]
    if source is not None:
        for (one, _), table in zip(parts, tables, strict=True):
            if source in table.column_names:
                raise ContractError(f"{one.path} has a column {source!r} already", way_out="give source= another name")
        tables = [
            table.append_column(source, _repeated(str(one.path), pa.string(), table.num_rows))
            for (one, _), table in zip(parts, tables, strict=True)
        ]
    if missing == "fail":
        for (one, _), table in zip(parts, tables, strict=True):
            _check_same(parts[0][0].path, tables[0].column_names, one.path, table.column_names)
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise ContractError(
            f"these files are no one table: {_apart(parts, tables) or error}",
            way_out='say the types: types={"column": "str"}',
        ) from error


def _apart(parts: Sequence[tuple[Found, pa.Table]], tables: Sequence[pa.Table]) -> str:
    """The first column that is of two kinds, and in which files."""
    seen: dict[str, list[tuple[Path, pa.DataType]]] = {}
    for (one, _), table in zip(parts, tables, strict=True):
        for column in table.schema:
            kinds = seen.setdefault(column.name, [])
            for path, kind in kinds:
                try:
                    pa.unify_schemas(
                        [pa.schema({"": kind}), pa.schema({"": column.type})], promote_options="permissive"
                    )
                except pa.ArrowException:
                    return f"{column.name!r} is {kind} in {path} and {column.type} in {one.path}"
            if column.type not in [kind for _, kind in kinds]:
                kinds.append((one.path, column.type))
    return ""


def _check_same(first: Path, names: list[str], other: Path, others: list[str]) -> None:
    for path, has, lacks in ((first, names, others), (other, others, names)):
        if apart := [name for name in has if name not in lacks]:
            raise ContractError(
                f"only one of {first} and {other} has the column {apart[0]!r}, which is in {path.name}",
                way_out='missing="null" leaves it empty in the others; columns=[…] reads only some',
            )


def _partition_types(partitions: Sequence[Mapping[str, str | None]]) -> dict[str, pa.DataType]:
    values: dict[str, list[str]] = {}
    for partition in partitions:
        for key, value in partition.items():
            values.setdefault(key, []).extend([] if value is None else [value])
    return {key: pa.int64() if held and all(map(_is_int, held)) else pa.string() for key, held in values.items()}


def _is_int(text: str) -> bool:
    """Whether it is a number that would be written the same again: `007` is none."""
    try:
        return str(int(text)) == text and abs(int(text)) < 2**63
    except ValueError:
        return False


def _with_partition(file: Found, table: pa.Table, kinds: Mapping[str, pa.DataType]) -> pa.Table:
    for key, kind in kinds.items():
        if key not in table.column_names:
            value = file.partition.get(key)
            held = int(value) if value is not None and kind == pa.int64() else value
            table = table.append_column(key, _repeated(held, kind, table.num_rows))
    return table


def _repeated(value: object, kind: pa.DataType, count: int) -> Column:
    one: Any = pa.scalar(value, kind)
    return pa.repeat(one, count)
