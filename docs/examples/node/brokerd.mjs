// Gets an access token from brokerd, with nothing but Node.js.
//
// usage: node brokerd.mjs PROFILE [SCOPE]...

import http from "node:http";
import readline from "node:readline";
import { fileURLToPath } from "node:url";

// cron and su have no XDG_RUNTIME_DIR, but the directory is there.
const runtime = process.env.XDG_RUNTIME_DIR || `/run/user/${process.geteuid?.()}`;
const socketPath = process.env.BROKERD_SOCKET || `${runtime}/brokerd/brokerd.sock`;

// Resolves to brokerd's answer: silently if it can be had so, else after a person has signed in.
export async function getToken(profile, scopes = []) {
  const response = await new Promise((resolve, reject) => {
    const headers = { "Content-Type": "application/json", Host: "localhost" };
    const request = http.request({ socketPath, path: "/v1/token", method: "POST", headers }, resolve);
    request.on("error", reject);
    request.end(JSON.stringify({ profile, scopes }));
  });
  // One object, or an event a line while a person signs in; the last one is the token, or says why there is none.
  for await (const line of readline.createInterface({ input: response })) {
    const answer = JSON.parse(line);
    if (answer.event === "device_prompt") {
      console.error(`To sign in, open ${answer.verification_uri} and enter ${answer.user_code}`);
    } else if (answer.access_token) {
      return answer;
    } else if (answer.error) {
      throw new Error(`${answer.error}: ${answer.error_description}`);
    }
  }
  throw new Error("brokerd has left");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [profile, ...scopes] = process.argv.slice(2);
  console.log((await getToken(profile, scopes)).access_token);
}
