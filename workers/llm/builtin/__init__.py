"""The built-in model: offline, rule-based, deterministic. It is no language model and says so.

It reads ideas for record-keeping services written in ordinary English and answers the roles' prompts
for them; everything else it refuses by name. It costs nothing and needs no key.
"""

from workers.llm.builtin.faults import Faults
from workers.llm.builtin.model import BuiltinModel

__all__ = ["BuiltinModel", "Faults"]
