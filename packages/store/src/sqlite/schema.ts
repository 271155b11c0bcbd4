/**
 * The steps from one schema version to the next: step n takes a file from `user_version` n to n + 1. A step, once
 * released, is never edited. Times and revisions are whole microseconds, JSON stands in TEXT; metadata is a flat list
 * `[key, value, key, value, …]`.
 *
 * `visible` is the public state (0 none, 1 running, 2 paused) and `concurrent` whether the sandbox counts against its
 * team's limit. `labels` holds, for visible sandboxes only, a hash of every tag and of the template's names; a hash may
 * be shared, so what it finds is compared with the record.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE teams (team_id TEXT PRIMARY KEY, team TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE api_keys (
    key_hash TEXT PRIMARY KEY,
    team_id TEXT NOT NULL,
    api_key TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE nodes (
    node_id TEXT PRIMARY KEY,
    node TEXT NOT NULL,
    lease_expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE sandboxes (
    seq INTEGER PRIMARY KEY,
    sandbox_id TEXT NOT NULL UNIQUE,
    team_id TEXT NOT NULL,
    identity TEXT NOT NULL,
    state TEXT NOT NULL,
    state_deadline INTEGER,
    execution_id TEXT NOT NULL,
    generation INTEGER NOT NULL,
    node_id TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    metadata_revision INTEGER NOT NULL,
    metadata_applied INTEGER NOT NULL,
    end_at INTEGER NOT NULL,
    end_revision INTEGER NOT NULL,
    end_applied INTEGER NOT NULL,
    egress TEXT NOT NULL,
    egress_revision INTEGER NOT NULL,
    egress_applied INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    boot_id TEXT,
    boot_before TEXT,
    push_due INTEGER,
    visible INTEGER NOT NULL,
    concurrent INTEGER NOT NULL
  ) STRICT;

  CREATE INDEX sandboxes_listed ON sandboxes (team_id, visible, started_at DESC, sandbox_id);
  CREATE INDEX sandboxes_concurrent ON sandboxes (team_id) WHERE concurrent = 1;
  CREATE INDEX sandboxes_push_due ON sandboxes (push_due) WHERE push_due IS NOT NULL;
  CREATE INDEX sandboxes_ended ON sandboxes (end_at) WHERE state = 'running';
  CREATE INDEX sandboxes_overdue ON sandboxes (state_deadline) WHERE state_deadline IS NOT NULL;
  CREATE INDEX sandboxes_on_node ON sandboxes (node_id);

  CREATE TABLE labels (
    team_id TEXT NOT NULL,
    visible INTEGER NOT NULL,
    label BLOB NOT NULL,
    started_at INTEGER NOT NULL,
    sandbox_id TEXT NOT NULL,
    PRIMARY KEY (team_id, visible, label, started_at DESC, sandbox_id)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE tombstones (
    sandbox_id TEXT NOT NULL,
    execution_id TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (sandbox_id, execution_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tombstones_expired ON tombstones (expires_at);

  CREATE TABLE operations (
    seq INTEGER PRIMARY KEY,
    operation TEXT NOT NULL UNIQUE,
    committed_at INTEGER NOT NULL
  ) STRICT;
  `,
  `
  -- Places are never given twice: who has read up to the newest must see the one that comes after its removal.
  CREATE TABLE access_tokens (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    sandbox_id TEXT NOT NULL UNIQUE,
    token TEXT NOT NULL
  ) STRICT;
  INSERT INTO access_tokens (sandbox_id, token)
    SELECT sandbox_id, json_extract(identity, '$.envdAccessToken') FROM sandboxes
    WHERE json_extract(identity, '$.envdAccessToken') IS NOT NULL ORDER BY seq;
  `,
  `
  -- number and total (of bytes) count within a team, so that what is beyond its limits is found.
  CREATE TABLE events (
    team_id TEXT NOT NULL,
    id INTEGER NOT NULL,
    sandbox_id TEXT NOT NULL,
    type TEXT NOT NULL,
    event TEXT NOT NULL,
    number INTEGER NOT NULL,
    total INTEGER NOT NULL,
    PRIMARY KEY (team_id, id)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Whether every node has reported in the row's epoch, and what the row was given before that, as JSON.
  ALTER TABLE sandboxes ADD COLUMN fully_verified INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE sandboxes ADD COLUMN own_edits TEXT;
  `,
  `
  -- The delta is a flat list as the metadata is, with null for a key that was removed.
  CREATE TABLE metadata_history (
    sandbox_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    api_key_id TEXT,
    delta TEXT NOT NULL,
    PRIMARY KEY (sandbox_id, revision)
  ) STRICT, WITHOUT ROWID;

  -- What commands with an idempotency key ended with; the metadata only as long as there is room for it.
  CREATE TABLE idempotency (
    seq INTEGER PRIMARY KEY,
    sandbox_id TEXT NOT NULL,
    key TEXT NOT NULL,
    content TEXT NOT NULL,
    revision INTEGER NOT NULL,
    committed_at INTEGER NOT NULL,
    metadata TEXT,
    UNIQUE (sandbox_id, key)
  ) STRICT;
  CREATE INDEX idempotency_in_order ON idempotency (sandbox_id, seq);
  `,
  `
  -- cursor: the event up to which the webhook is settled. due: when the first retry is.
  CREATE TABLE webhooks (
    team_id TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    webhook TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    retries TEXT NOT NULL,
    due INTEGER,
    owner TEXT,
    leased_until INTEGER NOT NULL DEFAULT 0,
    looked_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (team_id, webhook_id)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE dead_letters (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    team_id TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    letter TEXT NOT NULL
  ) STRICT;
  CREATE INDEX dead_letters_of_webhook ON dead_letters (team_id, webhook_id, seq);
  `,
  `
  -- What an entry counts in bytes, and what all up to it do: the first and the last one say how much there is. Numbers say
  -- how many.
  ALTER TABLE metadata_history ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE metadata_history ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE metadata_history ADD COLUMN total INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX idempotency_with_metadata ON idempotency (sandbox_id, seq) WHERE metadata IS NOT NULL;
  `,
];
