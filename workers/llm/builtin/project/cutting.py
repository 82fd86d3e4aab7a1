"""Whether the modules of a design, by whomever it is, can be built by strangers at the same time."""

from collections import Counter
from graphlib import CycleError, TopologicalSorter

from contracts.v1.projects import Design


def flaws(design: Design, package: str = "") -> list[str]:
    """What keeps the design from being built, `package` being the one that is wanted; empty for nothing."""
    names = Counter(module.name for module in design.modules)
    files = Counter(path for module in design.modules for path in module.files)
    found = [f"module {name!r} is there more than once" for name, count in names.items() if count > 1]
    found += [f"file {path!r} belongs to more than one module" for path, count in files.items() if count > 1]
    found += [
        f"module {module.name!r} depends on {need!r}, which is no module"
        for module in design.modules
        for need in module.depends_on
        if need not in names
    ]
    if package and design.package != package:
        found.append(f"it builds the package {design.package!r}, not {package!r}")
    try:
        TopologicalSorter({module.name: module.depends_on for module in design.modules}).prepare()
    except CycleError as circle:
        found.append(f"these modules depend on each other in a circle: {', '.join(circle.args[1])}")
    return found
