"""What waits for an answer over a connection hears at once when the connection is lost: the answer can't come any more.

Without it a question that was under way when the broker died is waited for until its time-out, seconds after the broker
is back.
"""

from collections.abc import Callable

from nats.aio.client import Client


def on_loss(client: Client, lost: Callable[[], None]) -> None:
    """Call `lost` whenever the connection is lost, before whoever asked to be told earlier."""
    told = client._disconnected_cb

    async def disconnected() -> None:
        lost()
        if told is not None:
            await told()

    client._disconnected_cb = disconnected
