"""Version 1 of the contracts. Released shapes are frozen; `tests/contracts/golden/` decodes for ever."""
