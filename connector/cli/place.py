"""Where a command finds the configuration, the mapping and the journal; each is read when first needed."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from connector import fieldmap, plugins, triage
from connector.config import Config
from connector.config import load as load_config
from connector.errors import ConnectorError
from connector.store import Store
from connector.yamlfile import read


class MissingConfig(ConnectorError):
    """There is no configuration yet."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"there is no {file}; `connector init` writes one, `connector demo` needs none")


@dataclass(frozen=True, slots=True)
class Place:
    """What stands around one config.yaml."""

    file: Path

    def config(self) -> Config:
        """The whole configuration; ConfigError when it cannot be used."""
        if not self.file.exists():
            raise MissingConfig(self.file)
        return load_config(self.file)

    def mappings(self) -> Path:
        """The mapping's folder, without needing the secrets of a whole configuration."""
        if self.file.exists():
            value = read(self.file).value
            named = value.get("mappings") if isinstance(value, dict) else None
            if isinstance(named, str):
                return self.file.parent / named
        return self.file.parent / "mappings"

    def policy(self, folder: Path | None = None) -> triage.Policy:
        """The mapping, from that folder or from the configuration's."""
        return triage.load(folder or self.mappings(), find=plugins.tone_detector)


@contextmanager
def opened(settings: Config, *, create: bool = False) -> Iterator[Store]:
    """The journal as it is. Only `connector run` migrates: an older connector may be running on it this moment."""
    store = Store(settings.store)
    try:
        store.look(create=create)
        yield store
    finally:
        store.close()


def running(settings: Config) -> int | None:
    """The process that runs on this configuration, if one does here. It holds a lock on its file while it lives: the
    number in a file that was left over may be anybody's by now."""
    try:
        with settings.file.with_name(settings.file.name + ".pid").open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read())
    except (OSError, ValueError):
        pass
    return None


def field_map(name: str) -> fieldmap.FieldMap | None:
    """The field map of a file that is handed in: a preset, a .yaml file, or none."""
    try:
        return fieldmap.load(name) if name else None
    except ValueError as error:
        raise ConnectorError(f"the field map: {error}") from None
