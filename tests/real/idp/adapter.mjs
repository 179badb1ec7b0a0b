// Where the provider keeps what it issued: a map, and with STATE a file too.
//
// The library's own memory adapter forgets after 1000 entries and at exit. A test that takes the
// provider away and brings it back needs grants that outlive the process.
import fs from 'node:fs';

const BY_GRANT = new Set(['AccessToken', 'AuthorizationCode', 'DeviceCode', 'RefreshToken']);

export class State {
  constructor(file) {
    this.file = file;
    const saved = file && fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};
    this.keys = saved.keys;
    this.rows = new Map(saved.rows ?? []);
  }

  save() {
    if (!this.file) return;
    const next = `${this.file}.new`;
    fs.writeFileSync(next, JSON.stringify({ keys: this.keys, rows: [...this.rows] }), { mode: 0o600 });
    fs.renameSync(next, this.file);
  }

  adapter() {
    const state = this;
    return class {
      constructor(model) { this.model = model; }

      async upsert(id, payload, seconds) {
        const until = seconds ? Date.now() + seconds * 1000 : undefined;
        state.rows.set(`${this.model}:${id}`, { model: this.model, payload, until });
        state.save();
      }

      async find(id) {
        const row = state.rows.get(`${this.model}:${id}`);
        // A device code is kept past its end: "expired_token" is owed to whoever still polls.
        const gone = row?.until && row.until < Date.now() && this.model !== 'DeviceCode';
        return gone ? undefined : row?.payload;
      }

      async findByUid(uid) { return this.first((p) => p.uid === uid); }

      async findByUserCode(userCode) { return this.first((p) => p.userCode === userCode); }

      first(matches) {
        for (const { model, payload } of state.rows.values()) {
          if (model === this.model && matches(payload)) return payload;
        }
        return undefined;
      }

      async consume(id) {
        state.rows.get(`${this.model}:${id}`).payload.consumed = Math.floor(Date.now() / 1000);
        state.save();
      }

      async destroy(id) {
        state.rows.delete(`${this.model}:${id}`);
        state.save();
      }

      async revokeByGrantId(grantId) {
        for (const [key, { model, payload }] of state.rows) {
          if (BY_GRANT.has(model) && payload.grantId === grantId) state.rows.delete(key);
        }
        state.save();
      }
    };
  }
}
