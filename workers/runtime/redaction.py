"""What a process must not say: the secrets that its settings, its environment and its targets hold."""

import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

from workers.llm.secrets import Redactor, secrets_in
from workers.runtime.settings import Settings

Clean = Callable[[str], str]
ROOT_HANDLER = "flotilla"


def redactor_for(settings: Settings, environment: Mapping[str, str] = os.environ) -> Redactor:
    """Hides what this process knows; reads the files that hold keys. Takes some milliseconds: make it once."""
    files = (settings.nats_creds, settings.nats_nkey_seed, settings.signing_seed_file)
    seed = settings.signing_seed.get_secret_value() if settings.signing_seed else ""
    seen = {**environment, "FLOTILLA_NATS_URL": settings.nats_url}
    known = secrets_in(seen, seed, *_keys(settings, environment), files=[file for file in files if file])
    return Redactor(known)


def _keys(settings: Settings, environment: Mapping[str, str]) -> Iterator[str]:
    """The keys of all targets: their variables and files may have any name."""
    if settings.models_file is None:
        return
    from workers.llm.catalogue import BadModels, Catalogue, KeyMissing  # noqa: PLC0415 - most workers have no file

    with suppress(BadModels):  # whoever needs the file says what is wrong with it
        catalogue = Catalogue.load(settings.models_file)
        for target in catalogue.targets.values():
            with suppress(KeyMissing):
                yield catalogue.key_of(target, environment)


class CleanLines:
    """A structlog processor after the renderer: what is written holds no secret, whichever value it came from."""

    def __init__(self, clean: Clean) -> None:
        self._clean = clean

    def __call__(self, log: Any, method: str, line: Any) -> str:
        """The line without secrets."""
        return self._clean(line)


class _CleanFormatter(logging.Formatter):
    def __init__(self, clean: Clean) -> None:
        super().__init__()
        self._clean = clean

    def format(self, record: logging.LogRecord) -> str:
        """The record with its traceback, without secrets."""
        return self._clean(super().format(record))


def clean_other_output(clean: Clean) -> None:
    """Have what libraries log, and what ends the process, written without secrets too; loggers keep their levels."""
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if handler.get_name() == ROOT_HANDLER]:
        root.removeHandler(handler)
    handler = logging.StreamHandler(sys.stderr)
    handler.set_name(ROOT_HANDLER)
    handler.setFormatter(_CleanFormatter(clean))
    root.addHandler(handler)

    def ended(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, where)
        else:
            sys.stderr.write(clean("".join(traceback.format_exception(kind, error, where))))

    sys.excepthook = ended
