"""What a provider says when it will not answer: the kind of failure, the words to show, and the pause it asks for.

Bodies seen: {"error": {"message", "type", "code"}} (OpenAI and most others), {"type": "error", "error": {"type",
"message"}} (Anthropic), [{"error": {"code", "message", "status", "details"}}] (Gemini), {"message", "code"} and
{"detail": [{"loc", "msg", "input"}]} (Mistral, vLLM), {"error": "text"} (Ollama). `code` is a word or a status.
"""

import re
from functools import lru_cache
from typing import Any

from workers.llm.failures import FailureKind
from workers.llm.providers.headers import duration
from workers.llm.secrets import Redactor

_LONGEST = 300

_BY_STATUS: dict[int, FailureKind] = {
    401: "denied", 402: "quota", 403: "denied", 404: "unknown_model", 408: "overloaded", 409: "overloaded",
    425: "overloaded", 429: "rate_limited", 498: "overloaded", 503: "overloaded", 529: "overloaded",
}  # fmt: skip

_BY_WORD: dict[str, FailureKind] = {
    "rate_limit_exceeded": "rate_limited", "rate_limit_error": "rate_limited", "rate_limited": "rate_limited",
    "requests": "rate_limited", "tokens": "rate_limited", "resource_exhausted": "rate_limited",
    "throttlingexception": "rate_limited", "too_many_requests": "rate_limited",
    "insufficient_quota": "quota", "billing_error": "quota", "billing_hard_limit_reached": "quota",
    "billing_not_active": "quota", "insufficient_balance": "quota", "credit_limit": "quota",
    "overloaded_error": "overloaded", "overloaded": "overloaded", "server_overloaded": "overloaded",
    "engine_overloaded": "overloaded", "engine_overloaded_error": "overloaded", "slow_down": "overloaded",
    "service_unavailable": "overloaded", "unavailable": "overloaded", "capacity_exceeded": "overloaded",
    "serviceunavailableexception": "overloaded", "modelnotreadyexception": "overloaded",
    "authentication_error": "denied", "permission_error": "denied", "invalid_api_key": "denied",
    "permission_denied": "denied", "unauthenticated": "denied", "accessdeniedexception": "denied",
    "not_found_error": "unknown_model", "model_not_found": "unknown_model", "not_found": "unknown_model",
    "model_decommissioned": "unknown_model", "deploymentnotfound": "unknown_model",
    "invalid_request_error": "bad_request", "bad_request": "bad_request", "invalid_prompt": "bad_request",
    "invalid_argument": "bad_request", "context_length_exceeded": "bad_request", "content_filter": "bad_request",
    "request_too_large": "bad_request", "validationexception": "bad_request",
    "json_validate_failed": "server_error",
}  # fmt: skip
"""By `code`, `type` or `status`. `json_validate_failed` (Groq) is the model's fault and not the request's."""

_STRONGER = {"quota", "unknown_model", "denied"}
"""Kinds that a word says more exactly than a status of 400 or 429."""

_NO_MONEY = re.compile(r"quota|billing|credit balance|insufficient (balance|credits?|funds)|out of credits", re.I)
_NO_CREDIT = re.compile(r"credit balance|insufficient (balance|credits?|funds)|out of credits", re.I)
_NO_MODEL = re.compile(r"model\b.{0,120}\b(not exist|not found)|not a valid model|^invalid model", re.I | re.S)
_ADDRESS = re.compile(r"https?://\S+")
_SECRET = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|pplx|tgp|nvapi|hf|key|api)[-_][A-Za-z0-9_*.…-]{6,}|\bAIza[\w*-]{10,}|\bya29\.[\w*.-]+"
    r"|\bAKIA[A-Z0-9*]{8,}|(?<=bearer )\S+|(?<=api key provided: )\S+",
    re.I,
)


def kind_of(status: int, body: object) -> FailureKind:
    """What an error means, by its status and by the words in its body; a status below 300 is none."""
    words, text = _words(body), _ADDRESS.sub("", message_of(body))
    if status < 300:
        status = next((int(w) for w in words if w.isdigit() and 400 <= int(w) <= 599), status)
    said = next((_BY_WORD[word] for word in words if word in _BY_WORD), None)
    if any(_BY_WORD.get(word) in _STRONGER for word in words) and status in (200, 400, 422, 429):
        return next(_BY_WORD[word] for word in words if _BY_WORD.get(word) in _STRONGER)
    if status == 429:
        return "quota" if said is None and wanted_pause(body) is None and _NO_MONEY.search(text) else "rate_limited"
    if status in (400, 422):
        return _unfit(said, text)
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status < 300:
        return said or "server_error"
    return "bad_request" if 400 <= status < 500 else "server_error"


def message_of(body: object) -> str:
    """What the provider wrote, without what it quotes of the request; "" when that can't be told."""
    error = _error(body)
    if isinstance(error, str):
        return "" if "<" in error else error
    for name in ("message", "detail", "error_description", "error"):
        said = error.get(name)
        if isinstance(said, str) and said:
            return said
        if isinstance(said, list):
            return "; ".join(str(item["msg"]) for item in said if isinstance(item, dict) and item.get("msg"))
        if isinstance(said, dict):
            return message_of(said)
    return ""


def wanted_pause(body: object) -> float | None:
    """Seconds to wait as the body says it (Gemini: `retryDelay`); None when it says nothing."""
    error = _error(body)
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str):
            return duration(delay)
    return None


def shown(text: str, key: str = "") -> str:
    """One line of at most 300 characters, without the key and without anything that looks like one."""
    line = _SECRET.sub("***", _redactor(key).clean(" ".join(text.split())))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


@lru_cache(maxsize=64)
def _redactor(key: str) -> Redactor:
    return Redactor((key,) if key else ())


def _unfit(said: FailureKind | None, text: str) -> FailureKind:
    if _NO_CREDIT.search(text):
        return "quota"
    if _NO_MODEL.search(text):
        return "unknown_model"
    return said or "bad_request"


def _error(body: object) -> dict[str, Any] | str:
    if isinstance(body, list):
        body = body[0] if body else ""
    if isinstance(body, dict):
        inner = body.get("error")
        return inner if isinstance(inner, dict) else body
    return body if isinstance(body, str) else ""


def _words(body: object) -> list[str]:
    error = _error(body)
    if isinstance(error, str):
        return []
    return [str(error[name]).lower() for name in ("code", "type", "status") if error.get(name) is not None]
