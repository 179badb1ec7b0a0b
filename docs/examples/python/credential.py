"""brokerd as a credential of the Azure SDK: every client of the SDK takes one."""

import json

from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from brokerd import get_token


class BrokerdCredential:
    """A TokenCredential. It keeps nothing: brokerd has the tokens."""

    def __init__(self, profile):
        self.profile = profile

    def get_token(self, *scopes, claims=None, tenant_id=None, **_):
        more = {"claims": json.loads(claims)} if claims else {}
        if tenant_id:
            more["tenant"] = tenant_id
        try:
            answer = get_token(self.profile, scopes, **more)
        except (OSError, RuntimeError) as error:
            raise ClientAuthenticationError(message=f"brokerd: {error}") from error
        return AccessToken(answer["access_token"], answer["expires_on"])
