"""Providers, one module each: `make(target, preset, key) -> Provider` speaks to it through its SDK.

All have one shape: parameters from the request, one call, its events turned into pieces. What they share is in
`sdk.py` (failures), `headers.py` (what a response says beside its body), `schema.py` and `chat.py` (Chat Completions).
"""
