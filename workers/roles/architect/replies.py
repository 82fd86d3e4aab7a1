"""What a model must answer to the architect's questions."""

from collections import Counter
from typing import Self

from pydantic import model_validator

from contracts.v1.projects import DesignDecision, Endpoint, Module, Table
from workers.roles.reply import Reply, is_a_test


class DesignReply(Reply):
    """A design that developers can build from, each module alone."""

    summary: str
    modules: tuple[Module, ...]
    endpoints: tuple[Endpoint, ...] = ()
    tables: tuple[Table, ...] = ()
    decisions: tuple[DesignDecision, ...] = ()
    start: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _can_be_built_in_parallel(self) -> Self:
        names = [module.name for module in self.modules]
        files = [path for module in self.modules for path in module.files]
        faults = [f"module {name!r} is there more than once" for name in _repeated(names)]
        faults += [f"file {path!r} belongs to more than one module" for path in _repeated(files)]
        faults += [f"file {path!r} is the test engineer's; no module writes tests" for path in files if is_a_test(path)]
        for module in self.modules:
            unknown = sorted(set(module.depends_on) - set(names))
            faults += [f"module {module.name!r} depends on {name!r}, which is no module" for name in unknown]
        if not 1 <= len(names) <= 40:
            faults.append(f"a design has 1 to 40 modules, not {len(names)}")
        if faults:
            raise ValueError("; ".join(faults))
        return self


def _repeated(values: list[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]
