#!/usr/bin/env python3
"""A program that uses MSAL for Python, one call at a time, as it is told.

It reads one JSON object a line from standard input, {"do": NAME, ...}, and answers each with one line: what MSAL
returned or raised. Tokens come out as their SHA-256, so that two can be compared and none is seen.
"""

import hashlib
import json
import logging
import sys

import msal

# What of MSAL's answers is of interest, beside the tokens.
ERROR = ("error", "suberror", "classification", "error_codes", "claims", "correlation_id", "error_description", "error_uri")
TOKEN = ("token_source", "token_type", "scope", "expires_in", "ext_expires_in", "refresh_on", "foci")
FLOW = ("user_code", "verification_uri", "message", "interval", "expires_in")


def hashed(token):
    return hashlib.sha256(token.encode()).hexdigest()


def told(result):
    """Makes an answer of what MSAL returned for a token."""
    if result is None:
        return {"none": True}
    if "access_token" in result:
        claims = result.get("id_token_claims") or {}
        shown = {name: result[name] for name in TOKEN if name in result}
        return {"token": hashed(result["access_token"]), "user": claims.get("preferred_username"), **shown}
    return {name: result[name] for name in ERROR if name in result}


class Program:
    """One program with one application object, as MSAL's samples have it."""

    def open(self, client_id, authority, ca, instance_discovery=False, capabilities=None, same_cache=False):
        cache = self.app.token_cache if same_cache else msal.SerializableTokenCache()
        self.app = msal.PublicClientApplication(
            client_id,
            authority=authority,
            instance_discovery=instance_discovery,
            client_capabilities=capabilities,
            token_cache=cache,
            verify=ca,
        )
        return {"version": msal.__version__}

    def begin(self, scopes, claims=None):
        self.flow = self.app.initiate_device_flow(scopes=scopes, claims_challenge=claims)
        if "user_code" not in self.flow:
            return told(self.flow)
        return {name: self.flow[name] for name in FLOW if name in self.flow}

    def finish(self, claims=None):
        return told(self.app.acquire_token_by_device_flow(self.flow, claims_challenge=claims))

    def silent(self, scopes, username=None, force=False, claims=None):
        accounts = self.app.get_accounts(username=username)
        account = accounts[0] if accounts else None
        return told(
            self.app.acquire_token_silent_with_error(
                scopes, account=account, force_refresh=force, claims_challenge=claims
            )
        )

    def accounts(self):
        known = self.app.get_accounts()
        names = ("username", "home_account_id", "local_account_id", "realm", "account_source")
        return {"accounts": [{name: account.get(name) for name in names} for account in known]}

    def remove(self, username):
        for account in self.app.get_accounts(username=username):
            self.app.remove_account(account)
        return {}

    def kept(self):
        """Counts what is in the cache, which MSAL documents as JSON."""
        cache = json.loads(self.app.token_cache.serialize())
        return {kind: len(entries) for kind, entries in cache.items()}


def main():
    logging.getLogger("msal").addHandler(logging.NullHandler())
    program = Program()
    calls = {name: getattr(program, name) for name in vars(Program) if not name.startswith("_")}
    for line in sys.stdin:
        call = json.loads(line)
        try:
            answer = calls[call.pop("do")](**call)
        except Exception as error:  # what the library raises is part of what it does
            answer = {"raised": type(error).__name__, "text": str(error).splitlines()[:1]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
