#!/usr/bin/env node
// The user's side of a device flow, over HTTP with a cookie jar, as a browser without JavaScript:
//
//   approve.mjs URL [USER] [--deny] [--code CODE]
//
// URL is the verification URI, complete or, with --code, the short one. Prints "approved" or "denied".
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { pathToFileURL } from 'node:url';

import { USERS } from './users.mjs';

const unescape = (s) => s
  .replace(/&#x([0-9a-f]+);/gi, (_, n) => String.fromCodePoint(parseInt(n, 16)))
  .replace(/&#(\d+);/g, (_, n) => String.fromCodePoint(n))
  .replace(/&quot;/g, '"').replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&');

const attribute = (tag, name) => {
  const found = new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1];
  return found === undefined ? undefined : unescape(found);
};

class Browser {
  cookies = new Map();

  async visit(url, form) {
    let target = new URL(url);
    let body = form;
    for (let hop = 0; hop < 12; hop += 1) {
      const { status, headers, html } = await this.#send(target, body);
      if (status < 300 || status >= 400) return { html, status, url: target };
      target = new URL(headers.location, target);
      body = undefined;
    }
    throw new Error(`redirected without end, last to ${target.origin}${target.pathname}`);
  }

  // Not fetch: the one in Debian 12's Node.js cannot tell several cookies apart.
  async #send(url, form) {
    const { request } = url.protocol === 'https:' ? https : http;
    const sent = request(url, {
      headers: {
        cookie: [...this.cookies].map(([k, v]) => `${k}=${v}`).join('; '),
        ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      method: form ? 'POST' : 'GET',
      signal: AbortSignal.timeout(10_000),
    });
    sent.end(form?.toString());
    const [response] = await once(sent, 'response');
    (response.headers['set-cookie'] ?? []).forEach((line) => this.#keep(line));
    let html = '';
    for await (const chunk of response.setEncoding('utf8')) html += chunk;
    return { status: response.statusCode, headers: response.headers, html };
  }

  #keep(line) {
    const [pair, ...attributes] = line.split(';');
    const at = pair.indexOf('=');
    const ended = attributes.some((a) => /^\s*expires=/i.test(a) && Date.parse(a.split('=')[1]) <= Date.now());
    if (ended) this.cookies.delete(pair.slice(0, at));
    else this.cookies.set(pair.slice(0, at), pair.slice(at + 1));
  }
}

/** The form whose action or submit button fits, with the fields that stand in it. */
function formOf({ html, url }, { submit, action = '' }) {
  for (const [, open, inside] of html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)) {
    const target = attribute(open, 'action');
    if (!target.endsWith(action)) continue;
    const fields = new URLSearchParams();
    for (const [tag] of inside.matchAll(/<input\b[^>]*>/g)) fields.set(attribute(tag, 'name'), attribute(tag, 'value') ?? '');
    if (submit) fields.set(submit, 'yes');
    return { target: new URL(target, url), fields };
  }
  throw new Error(`no form at ${url.origin}${url.pathname}`);
}

export async function approve(url, { user = 'alice', password = USERS[user], deny = false, code } = {}) {
  const browser = new Browser();
  const submit = ({ target, fields }) => browser.visit(target, fields);
  let page = await browser.visit(url);
  for (let step = 0; step < 8; step += 1) {
    const name = attribute(/<main\b[^>]*>/.exec(page.html)?.[0] ?? '', 'data-page');
    const form = (options = {}) => formOf(page, options);
    if (name === undefined && /name="user_code"/.test(page.html)) {
      page = await submit(form()); // the page that a script would submit, for a complete URI
    } else if (name === 'enter-code' && code && !/role="alert"/.test(page.html)) {
      const empty = form();
      empty.fields.set('user_code', code);
      page = await submit(empty);
    } else if (name === 'confirm-code') {
      page = await submit(form({ submit: deny ? 'abort' : 'go' }));
    } else if (name === 'login') {
      const empty = form();
      empty.fields.set('username', user);
      empty.fields.set('password', password);
      page = await submit(empty);
    } else if (name === 'consent') {
      page = await submit(form({ action: deny ? '/deny' : '/allow' }));
    } else if (name === 'signed-in') {
      return 'approved';
    } else if (name === 'ended' || (deny && name === 'failed')) {
      return 'denied';
    } else {
      const words = page.html.replace(/[\s\S]*<body>/, '').replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ').trim();
      throw new Error(`stuck at ${name ?? 'an unknown page'} (${page.status}): ${unescape(words).slice(0, 200)}`);
    }
  }
  throw new Error('too many pages');
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const args = process.argv.slice(2);
  const options = { deny: args.includes('--deny') };
  const at = args.indexOf('--code');
  if (at >= 0) [, options.code] = args.splice(at, 2);
  const [url, user] = args.filter((arg) => !arg.startsWith('--'));
  if (!url || (user && !Object.hasOwn(USERS, user))) {
    console.error(`usage: approve.mjs URL [${Object.keys(USERS).join('|')}] [--deny] [--code CODE]`);
    process.exit(2);
  }
  if (user) options.user = user;
  try {
    console.log(await approve(url, options));
  } catch (error) {
    console.error(`approve: ${error.message || error.code}`);
    process.exitCode = 1;
  }
}
