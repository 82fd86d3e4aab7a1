"""What the three ways to Claude have in common: Anthropic's own API, Bedrock and Vertex."""

import contextlib
from typing import Any

import pytest

from tests.fakes.script import Play, refused, truncated
from workers.llm.failures import CallFailed
from workers.llm.model import Began, End, ModelRequest, Piece, PromptMessage, Provider, Text, Usage

SCHEMA: dict[str, Any] = {
    "title": "Vote",
    "type": "object",
    "properties": {"choice": {"type": "string"}},
    "required": ["choice"],
    "additionalProperties": False,
}
ASKED = ModelRequest(
    messages=(PromptMessage(role="system", text="You vote."), PromptMessage(role="user", text="Yes or no?")),
    reply_schema=SCHEMA,
    max_output_tokens=1000,
)


async def pieces(provider: Provider, request: ModelRequest = ASKED) -> list[Piece]:
    return [piece async for piece in provider.stream(request)]


async def failure(provider: Provider) -> tuple[CallFailed, list[Piece]]:
    """What a call failed by, and the pieces that had come."""
    heard: list[Piece] = []
    with pytest.raises(CallFailed) as caught:
        async for piece in provider.stream(ASKED):
            heard.append(piece)
    return caught.value, heard


def texts(heard: list[Piece]) -> list[str]:
    return [piece.text for piece in heard if isinstance(piece, Text)]


class Claude:
    """Holds for each way; its module has a subclass of this and a fixture `provider` that makes providers."""

    async def test_truncation_and_refusal_keep_their_text_and_tokens(self, fake, provider):
        fake.script(truncated('{"choice": "y', usage=Usage(10, 20)), refused("I won't.", usage=Usage(10, 3)))

        cut, no = await pieces(provider()), await pieces(provider())

        assert ("".join(texts(cut)), cut[-1]) == ('{"choice": "y', End("length", "max_tokens", Usage(10, 20)))
        assert "".join(texts(no)) == "I won't."
        assert no[-1] == End("refusal", "refusal", Usage(10, 3), "The request was declined.")

    @pytest.mark.parametrize(
        ("fault", "after", "kind", "began", "said"),
        [
            ("drop_before", 2, "disconnected", 0, 0),
            ("drop_after_headers", 2, "disconnected", 1, 0),
            ("drop_midway", 0, "disconnected", 1, 0),
            ("drop_midway", 2, "interrupted", 1, 2),
            ("end_early", 2, "interrupted", 1, 2),
            ("malformed", 0, "server_error", 1, 0),
            ("malformed", 2, "interrupted", 1, 2),
            ("nonsense", 2, "server_error", 1, 0),
            ("error_midway", 0, "server_error", 1, 0),
        ],
    )
    async def test_a_broken_answer_is_a_failure_and_one_request(self, fake, provider, fault, after, kind, began, said):
        fake.script(Play("One two three four.", fault=fault, after=after))

        failed, heard = await failure(provider())

        assert failed.kind == kind
        assert heard.count(Began()) == began
        assert len(texts(heard)) == said
        assert len(fake.requests) == 1

    async def test_no_connection_is_unreachable(self, provider):
        failed, _ = await failure(provider(url="http://127.0.0.1:9"))

        assert failed.kind == "unreachable"

    async def test_closing_the_generator_hangs_up(self, fake, provider):
        fake.script(Play("slow, slow, slow", each_s=30.0))
        stream = provider().stream(ASKED)
        async with contextlib.aclosing(stream):
            async for piece in stream:
                if isinstance(piece, Text):
                    break

        await fake.idle()

        assert fake.requests[0].outcome == "hung up"
