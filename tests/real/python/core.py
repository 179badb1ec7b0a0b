"""Sends a request with the Azure SDK's own pipeline, whose credential is the one of docs/examples.

usage: core.py EXAMPLES PROFILE SCOPE URL
"""

import sys

from azure.core import PipelineClient
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.core.rest import HttpRequest

examples, profile, scope, url = sys.argv[1:]
sys.path.insert(0, examples)
from credential import BrokerdCredential  # noqa: E402

policy = BearerTokenCredentialPolicy(BrokerdCredential(profile), scope)
client = PipelineClient(url, policies=[policy])
print(client.send_request(HttpRequest("GET", url), enforce_https=False).status_code)
