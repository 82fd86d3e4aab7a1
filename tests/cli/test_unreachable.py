"""What a broker does not do, as a sentence that says once what helps."""

import pytest

from workers.runtime.errors import BusUnavailable


@pytest.mark.parametrize(
    "why", ["no stream answered for it", "no prompts: 503 nobody answers; is it provisioned? (flotilla provision)"]
)
def test_what_to_do_about_a_broker_that_is_not_prepared_is_said_once(desk, why):
    async def refuse(url: str) -> None:
        raise BusUnavailable(why)

    desk.with_outside(reach=refuse)
    result = desk("ls", "--nats", "nats://there:4222")
    assert result.exit_code == 3
    assert why in result.stderr
    assert result.stderr.count("flotilla provision") == 1
