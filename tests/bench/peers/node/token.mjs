// Prints an access token from MSAL's cache; with `sign-in` as an argument it signs in first.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { PublicClientApplication } from "@azure/msal-node";

const file = process.env.CACHE;
const cachePlugin = {
  beforeCacheAccess: async (context) => {
    if (existsSync(file)) context.tokenCache.deserialize(readFileSync(file, "utf8"));
  },
  afterCacheAccess: async (context) => {
    if (context.cacheHasChanged) writeFileSync(file, context.tokenCache.serialize());
  },
};
const authority = process.env.AUTHORITY;
const app = new PublicClientApplication({
  auth: { clientId: process.env.CLIENT_ID, authority, knownAuthorities: [new URL(authority).host] },
  cache: { cachePlugin },
});
const scopes = ["User.Read"];
const result = process.argv.includes("sign-in")
  ? await app.acquireTokenByDeviceCode({ scopes, deviceCodeCallback: () => {} })
  : await app.acquireTokenSilent({ scopes, account: (await app.getTokenCache().getAllAccounts())[0] });
console.log(result.accessToken);
