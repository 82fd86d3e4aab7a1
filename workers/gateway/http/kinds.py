"""The kinds of problems, and the address under which each says what it is."""

from typing import NamedTuple


class Kind(NamedTuple):
    """A sort of refusal: its status, its title, which is the same each time, and what to do about it."""

    status: int
    title: str
    remedy: str


KINDS: dict[str, Kind] = {
    "malformed-request": Kind(400, "The request can't be read", "Correct the part that `detail` names."),
    "unauthenticated": Kind(401, "Nobody is signed in", "Send `Authorization: Bearer <key>` with a key that is valid."),
    "forbidden": Kind(403, "This takes more rights", "Ask an admin for a key with the role that `detail` names."),
    "not-found": Kind(404, "There is nothing here", "Check the address and the tenant of the key."),
    "method-not-allowed": Kind(405, "This address has no such method", "Use one of the methods in `Allow`."),
    "not-acceptable": Kind(406, "There is no such form of it", "Ask for one of the media types that `detail` names."),
    "conflict": Kind(409, "The opposite is in the log already", "Read what is there; it can't be said twice."),
    "gone": Kind(410, "It is no longer kept", "The log keeps facts for a set time; nothing brings them back."),
    "too-large": Kind(413, "The request is too large", "Send less; larger content is an artifact."),
    "unsupported-media-type": Kind(415, "The body has the wrong media type", "Send `Content-Type: application/json`."),
    "wrong-input": Kind(422, "The request does not validate", "Correct each field that `errors` names."),
    "idempotency-key-reused": Kind(422, "The Idempotency-Key stands for another request", "Send a new key."),
    "too-many-requests": Kind(429, "Too many requests", "Wait for as many seconds as `Retry-After` says."),
    "headers-too-large": Kind(431, "The headers are too large", "Send fewer or shorter headers."),
    "internal": Kind(500, "The gateway failed", "Tell whoever runs the gateway; its log has the cause."),
    "bus-unavailable": Kind(503, "The bus can't be reached", "Try again; what runs goes on by itself."),
}
"""Every kind by the last part of its `type`. Kinds are added, never renamed."""

KIND_OF_STATUS = {kind.status: name for name, kind in reversed(KINDS.items())}
"""The kind of each status; of two with one status the first."""


def type_of(kind: str) -> str:
    """The `type` of a kind: a reference relative to the gateway, under which it says what to do."""
    return f"/problems/{kind}"
