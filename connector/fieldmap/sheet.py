"""The first sheet of an .xlsx file, line by line. What a formula gave when it was saved stands for the formula."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

import openpyxl

from connector.errors import ConfigError, Problem

MAX_UNPACKED = 512 * 1024 * 1024


def lines(content: bytes, name: str) -> Iterator[tuple[int, list[Any]]]:
    """Each line's number and cells: texts, numbers, times; "" for an empty one. ConfigError when it is no such file,
    or unpacks to more than half a gigabyte."""
    try:
        _check_size(content, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and extensions that nobody here looks at
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            try:
                sheet = book.worksheets[0]
                sheet.reset_dimensions()
                for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
                    yield number, ["" if cell is None else cell for cell in cells]
            finally:
                book.close()
    except ConfigError:
        raise
    except Exception as error:  # noqa: BLE001  a broken file breaks its reader in any way there is
        raise _problem(name, f"is not an .xlsx file that can be read ({type(error).__name__})") from None


def _check_size(content: bytes, name: str) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        unpacked = sum(one.file_size for one in packed.infolist())
    if unpacked > MAX_UNPACKED:
        raise _problem(name, f"unpacks to more than {MAX_UNPACKED // 2**20} MB; split it")


def _problem(name: str, message: str) -> ConfigError:
    return ConfigError([Problem(name, 0, 0, "", message)])
