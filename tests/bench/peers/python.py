"""Prints an access token from MSAL's cache; with `sign-in` as an argument it signs in first."""

import os
import sys

import msal

cache = msal.SerializableTokenCache()
if os.path.exists(os.environ["CACHE"]):
    with open(os.environ["CACHE"]) as file:
        cache.deserialize(file.read())
app = msal.PublicClientApplication(
    os.environ["CLIENT_ID"],
    authority=os.environ["AUTHORITY"],
    token_cache=cache,
    instance_discovery=False,
    verify=os.environ["CA"],
)
scopes = ["User.Read"]
if "sign-in" in sys.argv:
    result = app.acquire_token_by_device_flow(app.initiate_device_flow(scopes))
else:
    result = app.acquire_token_silent(scopes, account=app.get_accounts()[0])
if cache.has_state_changed:
    with open(os.environ["CACHE"], "w") as file:
        file.write(cache.serialize())
print(result["access_token"])
