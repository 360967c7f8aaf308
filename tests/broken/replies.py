"""Clients that take a part of a reply for the whole."""

from saboteur import broken

from harness.clients.reference import ReferenceClient
from harness.pool.http_connection import HttpConnection
from harness.pool.http_connector import HttpConnector


class _EndsWithConnection(HttpConnection):
    """Takes the end of the connection for the end of a body, if ``is_it`` says so."""

    framing = b"content-length"

    async def read_head(self):
        head = await super().read_head()
        self._framings = {name for name, _ in head.headers}
        return head

    async def read_chunk(self):
        try:
            return await super().read_chunk()
        except EOFError:
            if self.framing in self._framings:
                return b""
            raise


class TruncatedBodyAccepted(ReferenceClient):
    """Reads until nothing more comes, and never compares that with ``Content-Length``."""

    client_class = broken(connection=_EndsWithConnection)


class _EndsWithAnyChunk(_EndsWithConnection):
    framing = b"transfer-encoding"


class LastChunkNotChecked(ReferenceClient):
    """Decodes the chunks that came, and doesn't miss the last one."""

    client_class = broken(connection=_EndsWithAnyChunk)


class _RaggedEnds(HttpConnector):
    async def connect(self):
        made = await super().connect()
        if hasattr(made._stream, "_https_compatible"):
            made._stream._https_compatible = True
        return made


class TlsTruncationAccepted(ReferenceClient):
    """Takes FIN without close_notify for an orderly end, as Python's ssl does by default."""

    client_class = broken(connector=_RaggedEnds)
