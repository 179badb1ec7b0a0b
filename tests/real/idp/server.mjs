// A certified OpenID provider (npm oidc-provider) on loopback, with the device authorization grant,
// rotating refresh tokens and revocation. It prints one JSON line, {"issuer":…}, when it listens,
// logs one JSON line per request on stderr, and ends when its standard input does, so that a test
// that died does not leave it behind. A line on standard input comes back in the log, as {"mark":…}:
// all that was answered before stands above it.
//
//   PORT=0            the port; 0 takes a free one
//   MOUNT=            a path for the issuer, such as /realms/main
//   TLS_CERT= TLS_KEY=  PEM files; the issuer then is https://localhost:PORT
//   STATE=            a file that keeps keys and grants, so that a restart forgets nothing
//   ACCESS_TTL=60 REFRESH_TTL=3600 DEVICE_TTL=120   lifetimes in seconds
//   ROTATE=1          0: a refresh token stays the same
//   REFRESH_ALWAYS=0  1: a refresh token comes without "offline_access" too
//   INTERVAL=         "interval" of the device authorization response; absent unless given
//   SLOW_DOWN=0       polls of one device code closer than this many seconds get "slow_down"
//
// The library does neither of the last two by itself; those are emulated here, in front of it.
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import querystring from 'node:querystring';
import readline from 'node:readline';

import { Provider } from 'oidc-provider';

import { State } from './adapter.mjs';
import * as pages from './pages.mjs';
import { USERS } from './users.mjs';

const { env } = process;
const seconds = (name, otherwise) => Number(env[name] || otherwise);
const mount = env.MOUNT || '';
const minGap = seconds('SLOW_DOWN', 0) * 1000;

// Standard output carries the one line; the library's warnings go where its log goes.
console.info = console.error;
console.log = console.error;
console.warn = console.error;

const server = env.TLS_CERT
  ? https.createServer({ cert: fs.readFileSync(env.TLS_CERT), key: fs.readFileSync(env.TLS_KEY) })
  : http.createServer();
await new Promise((listening, failed) => {
  server.once('error', failed).listen(seconds('PORT', 0), '127.0.0.1', listening);
});
const origin = `${env.TLS_CERT ? 'https://localhost' : 'http://127.0.0.1'}:${server.address().port}`;
const issuer = origin + mount;

const state = new State(env.STATE);
state.keys ??= {
  cookie: crypto.randomBytes(24).toString('hex'),
  signing: {
    ...crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
    kid: 'test', use: 'sig', alg: 'ES256',
  },
};
state.save();

const client = {
  client_name: 'Command line',
  grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
  id_token_signed_response_alg: 'ES256',
  redirect_uris: [],
  response_types: [],
};

const provider = new Provider(issuer, {
  adapter: state.adapter(),
  clients: [
    { ...client, client_id: 'cli', token_endpoint_auth_method: 'none' },
    {
      ...client, client_id: 'cli-with-secret', client_secret: 'not-a-secret', token_endpoint_auth_method: 'client_secret_basic',
    },
  ],
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: false, // the ID token itself says who it was, as most providers' do
  cookies: { keys: [state.keys.cookie] },
  enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
  features: {
    deviceFlow: {
      enabled: true,
      userCodeInputSource(ctx, form, out, err) {
        const problem = err?.userCode || err?.name === 'NoCodeError' ? 'That code is not known, or no longer.' : err?.message;
        if (err?.name === 'AbortedError') ctx.body = pages.ended('the code was declined');
        else ctx.body = pages.enterCode(form, problem);
      },
      userCodeConfirmSource(ctx, form, { clientName }, _device, code) { ctx.body = pages.confirmCode(form, clientName, code); },
      successSource(ctx) { ctx.body = pages.signedIn(); },
    },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      getResourceServerInfo: (_ctx, resource) => ({
        scope: 'api:read api:write', audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: seconds('ACCESS_TTL', 60),
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
    revocation: { enabled: true },
  },
  findAccount: (_ctx, sub) => (Object.hasOwn(USERS, sub) ? {
    accountId: sub,
    claims: () => ({
      sub, name: sub, preferred_username: sub, email: `${sub}@example.test`, email_verified: true,
    }),
  } : undefined),
  interactions: { url: (_ctx, { uid }) => `${mount}/interaction/${uid}` },
  ...(env.REFRESH_ALWAYS === '1' ? { issueRefreshToken: (_ctx, { clientId }) => clientId.startsWith('cli') } : {}),
  jwks: { keys: [state.keys.signing] },
  renderError(ctx, { error, error_description: why }) { ctx.type = 'html'; ctx.body = pages.failed(error, why); },
  rotateRefreshToken: env.ROTATE !== '0',
  scopes: ['openid', 'offline_access', 'profile', 'email'],
  ttl: {
    AccessToken: seconds('ACCESS_TTL', 60),
    DeviceCode: seconds('DEVICE_TTL', 120),
    Grant: 86400,
    IdToken: 600,
    Interaction: 600,
    RefreshToken: seconds('REFRESH_TTL', 3600),
    Session: 86400,
  },
});

async function formOf(req) {
  let text = '';
  for await (const chunk of req) {
    text += chunk;
    if (text.length > 65536) throw new Error('form too large');
  }
  return querystring.parse(text);
}

/** Log in, then allow or deny: the two steps the library leaves to its host. */
async function interaction(ctx) {
  const [, , uid, step] = ctx.path.split('/');
  const { prompt, params, session, grantId } = await provider.interactionDetails(ctx.req, ctx.res);
  const finish = (result) => {
    ctx.respond = false; // the library writes the redirect itself
    return provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: true });
  };
  const form = ctx.method === 'POST' ? await formOf(ctx.req) : {};

  if (step === 'login') {
    if (Object.hasOwn(USERS, form.username) && USERS[form.username] === form.password) {
      return finish({ login: { accountId: form.username } });
    }
    ctx.status = 403;
    ctx.body = pages.wrongPassword();
  } else if (step === 'deny') {
    return finish({ error: 'access_denied', error_description: 'the user declined' });
  } else if (step === 'allow') {
    const grant = grantId
      ? await provider.Grant.find(grantId)
      : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = prompt.details;
    if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '));
    if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims);
    for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
      grant.addResourceScope(resource, scopes.join(' '));
    }
    return finish({ consent: { grantId: await grant.save() } });
  } else {
    const action = `${mount}/interaction/${uid}`;
    const { clientName } = await provider.Client.find(params.client_id);
    ctx.body = prompt.name === 'login'
      ? pages.login(action)
      : pages.consent(action, { client: clientName, user: session.accountId, scope: params.scope });
  }
  ctx.type = 'html';
  return undefined;
}

const lastPoll = new Map();

function tooSoon(deviceCode) {
  const now = Date.now();
  const last = lastPoll.get(deviceCode) ?? -Infinity;
  lastPoll.set(deviceCode, now);
  return now - last < minGap;
}

async function handle(ctx, next) {
  if (ctx.path.startsWith('/interaction/')) {
    await interaction(ctx);
    return;
  }
  if (minGap && ctx.method === 'POST' && ctx.path === '/token') {
    ctx.req.body = await formOf(ctx.req); // the library takes a body that was read before it
    if (ctx.req.body.device_code && tooSoon(ctx.req.body.device_code)) {
      ctx.status = 400;
      ctx.body = { error: 'slow_down', error_description: 'the client polls too often' };
      return;
    }
  }
  await next();
  if (env.INTERVAL && ctx.path === '/device/auth' && ctx.status === 200) ctx.body.interval = seconds('INTERVAL');
}

// Written before the answer leaves, so that whoever has the answer can find the line. No query string
// and no field but these: a log of codes and tokens would be a leak, even in a test.
const log = (line) => process.stderr.write(`${JSON.stringify(line)}\n`);

provider.use(async (ctx, next) => {
  const { method, path } = ctx;
  let failure;
  try {
    await handle(ctx, next);
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    const status = failure ? failure.statusCode ?? 500 : ctx.res.headersSent ? ctx.res.statusCode : ctx.status;
    const grant = ctx.oidc?.params?.grant_type ?? ctx.req.body?.grant_type;
    log({ method, path: mount + path, status, grant_type: grant, error: failure?.message ?? ctx.body?.error });
  }
});

provider.on('server_error', (_ctx, error) => console.error(error));
const answer = provider.callback();
server.on('request', (req, res) => {
  const path = req.url.split('?')[0];
  if (!path.startsWith(`${mount}/`)) {
    log({ method: req.method, path, status: 404 });
    res.writeHead(404).end();
    return;
  }
  if (mount) {
    req.originalUrl = req.url;
    req.url = req.url.slice(mount.length);
  }
  answer(req, res);
});

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));
readline.createInterface({ input: process.stdin }).on('line', (mark) => log({ mark })).on('close', () => process.exit(0));
process.stdout.write(`${JSON.stringify({ issuer, pid: process.pid })}\n`);
