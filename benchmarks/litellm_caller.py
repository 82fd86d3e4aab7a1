"""The same call through LiteLLM's Router; runs in an environment of its own and prints like `benchmarks/callers.py`.

python benchmarks/litellm_caller.py URL CALLS
"""

import asyncio
import importlib.util
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any


def _callers() -> Any:
    """The other callers' measuring, which needs nothing but the standard library."""
    path = Path(__file__).with_name("callers.py")
    spec = importlib.util.spec_from_file_location("callers", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def _main(url: str, calls: int) -> None:
    callers = _callers()
    began = time.perf_counter()
    from litellm import Router  # noqa: PLC0415 - importing is measured

    params = {"model": f"openai/{callers.MODEL}", "api_base": f"{url}/v1", "api_key": "none"}
    router = Router(model_list=[{"model_name": callers.MODEL, "litellm_params": params}], num_retries=0)
    schema = {"type": "json_schema", "json_schema": {"name": "Answer", "schema": callers.SCHEMA, "strict": True}}

    async def ask(n: int) -> str:
        stream: Any = await router.acompletion(
            model=callers.MODEL,
            messages=[{"role": "user", "content": callers.PROMPT}],
            response_format=schema,
            max_completion_tokens=1_000,
            stream=True,
            stream_options={"include_usage": True},
        )
        said = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        return "".join(said)

    await ask(0)
    ready_s = time.perf_counter() - began
    figures = await callers.measure(ask, calls)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**figures, "ready_s": ready_s, "memory_mb": used}), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
