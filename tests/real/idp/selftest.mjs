#!/usr/bin/env node
// Proves that the provider and its user do what the end-to-end tests rely on, without brokerd.
// Prints "ok NAME" or "FAILED NAME" for each and ends with 1 when one failed.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

import { approve } from './approve.mjs';

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';
const SERVER = fileURLToPath(new URL('server.mjs', import.meta.url));
const running = new Set();

async function start(settings = {}) {
  const child = spawn(process.execPath, [SERVER], { env: { ...process.env, PORT: '0', ...settings }, stdio: ['pipe', 'pipe', 'pipe'] });
  running.add(child);
  const log = [];
  const errors = readline.createInterface({ input: child.stderr }).on('line', (line) => log.push(line));
  child.once('exit', () => running.delete(child));
  const first = once(readline.createInterface({ input: child.stdout }), 'line');
  const died = once(child, 'exit').then(() => { throw new Error(`server.mjs ended:\n${log.join('\n')}`); });
  died.catch(() => {});
  const [line] = await Promise.race([first, died]);
  const { issuer } = JSON.parse(line);
  const send = async (url, fields) => {
    const response = await fetch(url, { method: 'POST', body: new URLSearchParams(fields), signal: AbortSignal.timeout(10_000) });
    const text = await response.text();
    return { status: response.status, ...(text && JSON.parse(text)) };
  };
  const discovery = await fetch(`${issuer}/.well-known/openid-configuration`).then((r) => r.json());
  return {
    child,
    discovery,
    issuer,
    log,
    begin: (fields) => send(discovery.device_authorization_endpoint, { client_id: 'cli', scope: 'openid offline_access', ...fields }),
    poll: ({ device_code: code }, fields) => send(discovery.token_endpoint, { client_id: 'cli', grant_type: DEVICE_CODE, device_code: code, ...fields }),
    refresh: (token, fields) => send(discovery.token_endpoint, { client_id: 'cli', grant_type: 'refresh_token', refresh_token: token, ...fields }),
    revoke: (token) => send(discovery.revocation_endpoint, { client_id: 'cli', token }),
    async signIn(fields, options) {
      const flow = await this.begin(fields);
      assert.equal(await approve(flow.verification_uri_complete, options), 'approved');
      return { flow, ...await this.poll(flow) };
    },
    /** Returns when the log of everything before has been read. */
    async logged() {
      child.stdin.write('here\n');
      while (log.at(-1) !== '{"mark":"here"}') await once(errors, 'line');
    },
    async stop() {
      child.stdin.end();
      await once(child, 'exit');
    },
  };
}

let failures = 0;
async function test(name, body) {
  try {
    await body();
    console.log(`ok ${name}`);
  } catch (error) {
    failures += 1;
    console.log(`FAILED ${name}\n${error.stack}`);
  }
}
const subject = ({ id_token: token }) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).preferred_username;
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'brokerd-idp-'));

try {
  const idp = await start({ ACCESS_TTL: '7' });
  await test('a device flow is pending until the user allows it', async () => {
    const flow = await idp.begin({ scope: 'openid profile offline_access' });
    assert.equal(flow.interval, undefined);
    assert.equal((await idp.poll(flow)).error, 'authorization_pending');
    assert.equal(await approve(flow.verification_uri_complete), 'approved');
    const tokens = await idp.poll(flow);
    assert.equal(tokens.expires_in, 7);
    assert.ok(tokens.access_token && tokens.refresh_token);
    assert.equal(subject(tokens), 'alice');
  });
  await test('the other user types the code', async () => {
    const flow = await idp.begin({ scope: 'openid profile' });
    assert.equal(await approve(flow.verification_uri, { user: 'bob', code: flow.user_code.toLowerCase() }), 'approved');
    assert.equal(subject(await idp.poll(flow)), 'bob');
  });
  await test('a wrong password and a wrong code leave it pending', async () => {
    const flow = await idp.begin();
    await assert.rejects(approve(flow.verification_uri_complete, { password: 'guess' }), /wrong-password/);
    await assert.rejects(approve(flow.verification_uri, { code: 'XXXX-XXXX' }), /enter-code/);
    const other = await idp.begin();
    assert.equal((await idp.poll(other)).error, 'authorization_pending');
  });
  await test('the user denies', async () => {
    const flow = await idp.begin();
    assert.equal(await approve(flow.verification_uri_complete, { deny: true }), 'denied');
    assert.equal((await idp.poll(flow)).error, 'access_denied');
  });
  await test('no offline_access, no refresh token', async () => {
    assert.equal((await idp.signIn({ scope: 'openid' })).refresh_token, undefined);
  });
  await test('each refresh rotates', async () => {
    const first = await idp.signIn();
    const second = await idp.refresh(first.refresh_token);
    const third = await idp.refresh(second.refresh_token);
    assert.equal(new Set([first, second, third].map((t) => t.refresh_token)).size, 3);
    assert.equal(third.status, 200);
  });
  await test('reuse of a spent refresh token ends its family', async () => {
    const first = await idp.signIn();
    const second = await idp.refresh(first.refresh_token);
    assert.equal((await idp.refresh(first.refresh_token)).error, 'invalid_grant');
    assert.equal((await idp.refresh(second.refresh_token)).error, 'invalid_grant');
  });
  await test('one poll after success revokes what it gave', async () => {
    const tokens = await idp.signIn();
    assert.equal((await idp.poll(tokens.flow)).error, 'invalid_grant');
    assert.equal((await idp.refresh(tokens.refresh_token)).error, 'invalid_grant');
  });
  await test('a revoked refresh token is dead', async () => {
    const tokens = await idp.signIn();
    assert.equal((await idp.revoke(tokens.refresh_token)).status, 200);
    assert.equal((await idp.refresh(tokens.refresh_token)).error, 'invalid_grant');
  });
  await test('a resource gets its own kind of token', async () => {
    const resource = 'urn:example:api';
    const flow = await idp.begin({ scope: 'openid offline_access api:read', resource });
    await approve(flow.verification_uri_complete);
    const { access_token: token } = await idp.poll(flow, { resource });
    assert.equal(JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).aud, resource);
  });
  await test('an unknown client and an unknown code are refused', async () => {
    assert.equal((await idp.begin({ client_id: 'nobody' })).error, 'invalid_client');
    assert.equal((await idp.poll({ device_code: 'nothing' })).error, 'invalid_grant');
  });
  await test('the log has each request and no secret', async () => {
    const before = idp.log.length;
    const tokens = await idp.signIn();
    await idp.refresh(tokens.refresh_token);
    await idp.refresh('secret-of-nobody');
    await idp.logged();
    const lines = idp.log.slice(before);
    const refreshes = lines.map((line) => JSON.parse(line)).filter((l) => l.grant_type === 'refresh_token');
    assert.deepEqual(refreshes, [
      { method: 'POST', path: '/token', status: 200, grant_type: 'refresh_token' },
      { method: 'POST', path: '/token', status: 400, grant_type: 'refresh_token', error: 'invalid_grant' },
    ]);
    for (const secret of [tokens.access_token, tokens.refresh_token, tokens.flow.user_code, tokens.flow.device_code, 'secret-of-nobody', 'wonderland']) {
      assert.ok(!lines.join().includes(secret));
    }
  });
  await test('it ends with its standard input', () => idp.stop());

  await test('interval, slow_down and expired_token', async () => {
    const quick = await start({ DEVICE_TTL: '1', INTERVAL: '1', SLOW_DOWN: '1' });
    const flow = await quick.begin();
    assert.equal(flow.interval, 1);
    assert.equal((await quick.poll(flow)).error, 'authorization_pending');
    assert.equal((await quick.poll(flow)).error, 'slow_down');
    // The provider's clock is the only event here, and it counts whole seconds.
    await new Promise((later) => { setTimeout(later, 2100); });
    assert.equal((await quick.poll(flow)).error, 'expired_token');
    await quick.stop();
  });
  await test('ROTATE=0 keeps the refresh token', async () => {
    const idle = await start({ ROTATE: '0' });
    const tokens = await idle.signIn();
    const next = await idle.refresh(tokens.refresh_token);
    assert.ok(next.access_token && [undefined, tokens.refresh_token].includes(next.refresh_token));
    assert.ok((await idle.refresh(tokens.refresh_token)).access_token);
    await idle.stop();
  });
  await test('an issuer with a path, and REFRESH_ALWAYS', async () => {
    const mounted = await start({ MOUNT: '/realms/main', REFRESH_ALWAYS: '1' });
    assert.equal(mounted.discovery.issuer, mounted.issuer);
    assert.match(mounted.discovery.token_endpoint, /\/realms\/main\/token$/);
    assert.ok((await mounted.signIn({ scope: 'openid' })).refresh_token);
    await mounted.stop();
  });
  await test('STATE outlives a restart, its absence does not', async () => {
    const port = async (settings) => {
      const before = await start(settings);
      const tokens = await before.signIn();
      await before.stop();
      const after = await start({ ...settings, PORT: new URL(before.issuer).port });
      assert.equal(after.issuer, before.issuer);
      const refreshed = await after.refresh(tokens.refresh_token);
      await after.stop();
      return refreshed;
    };
    assert.ok((await port({ STATE: path.join(scratch, 'state.json') })).access_token);
    assert.equal((await port()).error, 'invalid_grant');
  });
} finally {
  for (const child of running) child.kill('SIGKILL');
  fs.rmSync(scratch, { recursive: true });
}
process.exitCode = failures ? 1 : 0;
