"""Gets an access token from brokerd, with nothing but Python's standard library.

usage: python3 brokerd.py PROFILE [SCOPE]...
"""

import http.client
import json
import os
import socket
import sys


class Connection(http.client.HTTPConnection):
    """HTTP over brokerd's socket, in a directory that is this user's alone."""

    def connect(self):
        # cron and su have no XDG_RUNTIME_DIR, but the directory is there.
        runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ.get("BROKERD_SOCKET") or runtime + "/brokerd/brokerd.sock")


def get_token(profile, scopes=(), **more):
    """Returns brokerd's answer: silently if it can be had so, else after a person has signed in."""
    brokerd = Connection("localhost")
    body = json.dumps({"profile": profile, "scopes": scopes, **more})
    brokerd.request("POST", "/v1/token", body, {"Content-Type": "application/json"})
    # One object, or an event a line while a person signs in; the last one is the token, or says why there is none.
    for line in brokerd.getresponse():
        answer = json.loads(line)
        if answer.get("event") == "device_prompt":
            print(f"To sign in, open {answer['verification_uri']} and enter {answer['user_code']}", file=sys.stderr)
        elif "access_token" in answer:
            return answer
        elif "error" in answer:
            raise RuntimeError(f"{answer['error']}: {answer['error_description']}")
    raise RuntimeError("brokerd has left")


if __name__ == "__main__":
    print(get_token(sys.argv[1], sys.argv[2:])["access_token"])
