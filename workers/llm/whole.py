"""A model that answers in one piece, as a provider."""

from collections.abc import AsyncGenerator

from workers.llm.failures import CallFailed
from workers.llm.model import Began, End, Model, ModelRequest, ModelUnavailable, Piece, Text, Usage


class Whole:
    """Makes a provider of a `Model`."""

    def __init__(self, model: Model) -> None:
        self.model = model

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        """The whole answer as one piece; a model that is unavailable is overloaded."""
        try:
            said = await self.model.complete(request)
        except ModelUnavailable as error:
            raise CallFailed("overloaded", str(error)) from error
        yield Began()
        if said.text:
            yield Text(said.text)
        usage = Usage(said.input_tokens, said.output_tokens, said.cached_input_tokens, said.reasoning_tokens)
        yield End(said.stop, said.finish or said.stop, usage)

    async def close(self) -> None:
        """There is nothing to let go of."""
