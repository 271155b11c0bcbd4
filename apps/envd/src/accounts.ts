import { readFileSync, statSync } from "node:fs";

/** A user of the sandbox, as the account files describe it. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  /** Primary group. */
  readonly gid: number;
  /** Groups that list the user as a member, without the primary one. */
  readonly groups: readonly number[];
  readonly home: string;
  readonly shell: string;
}

/** One reading of the account files. */
export interface AccountTable {
  byName(name: string): Account | undefined;
  /** Name of a user or group, or the number itself where no name is known. */
  userName(uid: number): string;
  groupName(gid: number): string;
}

/**
 * Users and groups from files in the format of passwd(5) and group(5), read again when a file changes, so that accounts
 * added while the sandbox runs are known at once. Other sources of accounts (LDAP, NIS) are not asked.
 */
export class Accounts {
  readonly #passwdFile: string;
  readonly #groupFile: string;
  #state = "";
  #table: AccountTable = parse("", "");

  constructor(passwdFile: string, groupFile: string) {
    this.#passwdFile = passwdFile;
    this.#groupFile = groupFile;
  }

  /** The accounts as they are now. Cheap while the files stay as they are. */
  read(): AccountTable {
    const state = `${fingerprint(this.#passwdFile)} ${fingerprint(this.#groupFile)}`;
    if (state !== this.#state) {
      this.#table = parse(contents(this.#passwdFile), contents(this.#groupFile));
      this.#state = state;
    }
    return this.#table;
  }
}

function fingerprint(file: string): string {
  const stats = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stats ? `${stats.ino}-${stats.size}-${stats.mtimeNs}-${stats.ctimeNs}` : "absent";
}

/** A template without a group file is odd, yet its root can still work. */
function contents(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function parse(passwd: string, group: string): AccountTable {
  const memberships = new Map<string, number[]>();
  const groupNames = new Map<number, string>();
  for (const [name, , gidText, members] of records(group)) {
    const gid = id(gidText);
    if (!name || gid === undefined) continue;
    if (!groupNames.has(gid)) groupNames.set(gid, name);
    for (const member of members?.split(",") ?? []) {
      const groups = memberships.get(member);
      if (groups) groups.push(gid);
      else memberships.set(member, [gid]);
    }
  }

  const accounts = new Map<string, Account>();
  const userNames = new Map<number, string>();
  for (const [name, , uidText, gidText, , home, shell] of records(passwd)) {
    const uid = id(uidText);
    const gid = id(gidText);
    if (!name || uid === undefined || gid === undefined || accounts.has(name)) continue;
    const groups = [...new Set(memberships.get(name))].filter((other) => other !== gid);
    accounts.set(name, { name, uid, gid, groups, home: home || "/", shell: shell || "/bin/sh" });
    if (!userNames.has(uid)) userNames.set(uid, name);
  }

  return {
    byName: (name) => accounts.get(name),
    userName: (uid) => userNames.get(uid) ?? String(uid),
    groupName: (gid) => groupNames.get(gid) ?? String(gid),
  };
}

function records(text: string): string[][] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(":"));
}

function id(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}
