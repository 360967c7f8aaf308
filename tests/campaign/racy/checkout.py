"""A pool whose checkout is not synchronised."""

import trio
from plain_pool import PlainPool


class UnsynchronisedCheckout(PlainPool):
    """Sees that a connection is free, gives way once, and takes it.

    Two callers that come at the same instant take the same one, and whoever reads first gets the
    first reply.
    """

    async def check_out(self):
        for connection in list(self._connections):
            if not connection.busy:
                await trio.lowlevel.checkpoint()  # a metric, a log line, a lock of something else
                connection.busy = True
                return connection
        return None
