"""A pool that looks whether a connection lives, and only then gets ready."""

import trio
from plain_pool import PlainPool

SET_UP_S = 0.004


class LooksTooEarly(PlainPool):
    """Takes 4 ms between the look at a connection and the request on it.

    If the server closes the connection in between, the request crosses the close: a call that
    must not run twice is then lost, though nothing but time lay between.
    """

    async def check_out(self):
        connection = await super().check_out()
        if connection is not None:
            await trio.sleep(SET_UP_S)
        return connection
