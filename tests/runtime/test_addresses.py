"""What the bus shows of itself."""

import pytest

from workers.runtime.settings import without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
        ("nats://user:secret@one:4222", "nats://***@one:4222"),
        ("nats://token@one", "nats://***@one"),
        ("nats://user:se@cret@one", "nats://***@one"),
        ("nats://user:se/cret@one", "nats://***@one"),
        ("user:secret@one:4222", "***@one:4222"),
        ("nats://a:secret@one, b:secret@two,tls://three", "nats://***@one, ***@two,tls://three"),
    ],
)
def test_no_address_is_shown_with_its_password(url, shown):
    assert without_password(url) == shown
