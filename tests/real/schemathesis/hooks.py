"""How schemathesis comes to the daemon's socket, and what it must know of streams.

BROKERD_SOCKET is the socket. SCHEMATHESIS_HOOKS names this file.
"""

import io
import json
import os
import socket
import time

import schemathesis
import urllib3
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

NDJSON = "application/x-ndjson"
# Seconds. A stream of tokens ends by itself; that of events lives as long as its reader.
LONGEST = {"/v1/events": 0.3}


class SocketConnection(HTTPConnection):
    """A connection to the socket, whatever the address says."""

    def _new_conn(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(20)
        connection.connect(os.environ["BROKERD_SOCKET"])
        return connection

    def request(self, method, url, *args, **kwargs):
        self.path = url.partition("?")[0]
        super().request(method, url, *args, **kwargs)

    def getresponse(self):
        answer = super().getresponse()
        limit = LONGEST.get(self.path)
        if limit is None or answer.headers.get("Content-Type") != NDJSON:
            return answer
        lines = self._lines_for(limit, answer)
        self.close()
        return urllib3.HTTPResponse(io.BytesIO(lines), answer.headers, answer.status, preload_content=False)

    def _lines_for(self, seconds, answer):
        lines, end = b"", time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                lines += answer.read1()
            except urllib3.exceptions.ReadTimeoutError:
                break
        return lines


class SocketPool(HTTPConnectionPool):
    ConnectionCls = SocketConnection


urllib3.poolmanager.pool_classes_by_scheme["http"] = SocketPool


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """The description's schema of a stream is that of a line; schemathesis holds it against the whole."""
    for item in raw_schema["paths"].values():
        for operation in item.values():
            if not isinstance(operation, dict):
                continue
            for response in operation["responses"].values():
                media = response.get("content", {}).get(NDJSON)
                if media:
                    media["schema"] = {"type": "array", "items": media["schema"]}
                    media.pop("examples", None)


@schemathesis.deserializer(NDJSON)
def lines(context, response):
    return [json.loads(line) for line in response.content.splitlines()]
