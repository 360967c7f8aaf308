"""The example in the package's docstring works as it stands."""

import inspect

from pool_servers import polite, serve

import harness.pool


async def test_the_docstrings_example_runs():
    indented = harness.pool.__doc__.split("\n\n", 1)[1].split("\n\n``Pool`` itself")[0]
    namespace = {}
    exec(inspect.cleandoc("\n" + indented), namespace)
    async with serve(polite) as server:
        assert await namespace["main"]("127.0.0.1", server.port) == b"ok"
