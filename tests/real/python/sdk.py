"""Asks a credential of azure-identity for a token, and prints what came of it as a line of JSON.

usage: sdk.py CREDENTIAL SCOPE [TENANT]
"""

import json
import sys

import azure.identity
from azure.core.exceptions import ClientAuthenticationError

name, scope, *tenant = sys.argv[1:]
try:
    credential = getattr(azure.identity, name)()
    token = credential.get_token(scope, **({"tenant_id": tenant[0]} if tenant else {}))
    print(json.dumps({"token": token.token, "expires_on": token.expires_on}))
except ClientAuthenticationError as error:  # CredentialUnavailableError is one
    print(json.dumps({"raised": type(error).__name__, "message": str(error)}))
