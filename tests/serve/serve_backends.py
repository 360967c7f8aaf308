"""A server that answers each line with its own name and the line, and a client for it."""

import socket
import socketserver
import ssl
import threading
from contextlib import contextmanager, suppress

PATIENCE_S = 20.0


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        with suppress(OSError):
            for line in self.rfile:
                self.wfile.write(self.server.name + b" " + line)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


class Backend:
    def __init__(self, name):
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.name = name.encode()
        self.port = self._server.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self._file = sock.makefile("rb")

    def say(self, word):
        self.sock.sendall(word.encode() + b"\n")
        return self.hear()

    def hear(self):
        return self._file.readline().decode().strip()

    def close(self):
        self._file.close()
        self.sock.close()


@contextmanager
def connected(proxy, context: ssl.SSLContext | None = None):
    sock = socket.create_connection((proxy.host, proxy.port), timeout=PATIENCE_S)
    if context is not None:
        sock = context.wrap_socket(sock, server_hostname="localhost")
    connection = Connection(sock)
    try:
        yield connection
    finally:
        connection.close()
