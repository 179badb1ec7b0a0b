"""Has Google's own library find the credential of where it runs, and prints what it found as a line of JSON.

usage: gce.py [SCOPE]...
"""

import json
import sys

import google.auth
import google.auth.transport.requests

credentials, project = google.auth.default(scopes=sys.argv[1:])
credentials.refresh(google.auth.transport.requests.Request())
print(json.dumps({"token": credentials.token, "project": project, "account": credentials.service_account_email}))
