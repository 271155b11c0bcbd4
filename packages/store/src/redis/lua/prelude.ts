import {
  countsAsConcurrent,
  historyLimits,
  outlivesExecution,
  publicState,
  type SandboxState,
  transitionalStates,
} from "@castellan/domain";
import { allStates } from "../../states.ts";
import { recordFields } from "../record-fields.ts";

/**
 * Parts that scripts share. A script takes only those that it needs, because every call builds their functions anew.
 *
 * Conventions. KEYS[1] is the team's epoch key; all other keys of the team are derived from it and lie in its slot.
 * Numbers of 16 digits are exact in Lua's doubles but not in its formatting: they are written with `digits`. A script
 * answers with a list whose first element says what happened: 'ok', or why not.
 */
export const base = `
local call = redis.call
local P = string.sub(KEYS[1], 1, -6)

local function digits(n) return string.format('%.0f', n) end

local function clock()
  local t = call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end
`;

/** What a record's epoch says: verified, so that edits may go on, and fully, so that nothing else need be kept. */
export const verifying = `
local function isVerified(stamp, epoch) return stamp == digits(epoch) or stamp == digits(epoch) .. '~' end
`;

/** Compares the caller's epoch with the highest one that has written to the team. */
export const fencing = `
-- Answers why the call may not go on, or nothing. A team without an epoch does not exist, or the store was emptied.
local function fence(epoch)
  local known = call('GET', KEYS[1])
  if not known then return {'noteam'} end
  known = tonumber(known)
  if known > epoch then return {'stale'} end
  if known < epoch then call('SET', KEYS[1], digits(epoch)) end
end
`;

export const revising = `
local function nextRevision(previous, now, epoch)
  return math.max(previous + 1, now, epoch)
end
`;

/** What the adapter decodes: what never changes, and the record. */
export const reading = `
local function read(id) return {call('GET', P .. 'i:' .. id), call('GET', P .. 's:' .. id)} end
`;

/** The positions of a record's fields. */
export const positions = `
local ${recordFields.map(({ name }) => name.toUpperCase()).join(", ")} = ${recordFields.map((_, i) => i + 1).join(", ")}
local FIELDS, METADATA = ${recordFields.length}, ${recordFields.length + 2}
`;

/** A record as a table, by the positions of its fields. Uses `positions`. */
export const loading = `
-- The fields, then the rest that a later version has written, then the metadata.
local function parse(text)
  local cut = string.find(text, '\\n\\t\\n', 1, true)
  local header, metadata = string.sub(text, 1, cut - 1), string.sub(text, cut + 2)
  local fields = {string.match(header, '^${lines(recordFields.length)}(.*)$')}
  if not fields[V] then
    -- An older version, with fewer fields.
    fields = {${recordFields.map(({ before }) => `'${before}'`).join(", ")}, ''}
    local n = 0
    for field in string.gmatch(header .. '\\n', '([^\\n]*)\\n') do
      n = n + 1
      if n > 1 then fields[n] = field end
    end
  end
  fields[METADATA] = metadata
  return fields
end

local function load(id)
  local text = call('GET', P .. 's:' .. id)
  return text and parse(text)
end

local function serialize(fields)
  return table.concat(fields, '\\n', 1, FIELDS) .. fields[FIELDS + 1] .. '\\n\\t' .. fields[METADATA]
end

local function save(id, fields) call('SET', P .. 's:' .. id, serialize(fields)) end
`;

/**
 * Where a sandbox stands in lists, and the labels by which it is found there: 'm', key, tab, value of each tag, in the
 * escaped form of the metadata, and 't' with the template's names.
 */
export const listing = `
local SHOWN = {${luaTable((state) => shownLetter(state))}}

-- Newest first, then by id: ascending in the order of bytes.
local function place(started, id)
  return string.format('%016.0f', 9007199254740991 - tonumber(started)) .. id
end

local function labelKey(shown, label)
  return P .. 'b:' .. shown .. (#label <= 64 and ':=' .. label or ':#' .. redis.sha1hex(label))
end
`;

/** Adding a record to all lists, or taking it out. Uses `loading` and `listing`. */
export const relisting = `
local function eachLabel(fields, visit)
  for tag in string.gmatch(fields[METADATA], '([^\\n]+)\\n') do visit('m' .. tag) end
  visit('t' .. fields[TPL])
  if fields[ALIAS] ~= '' and fields[ALIAS] ~= fields[TPL] then visit('t' .. fields[ALIAS]) end
end

local function enlist(id, fields)
  local shown = SHOWN[fields[STATE]]
  if not shown then return end
  local member = place(fields[STARTED], id)
  call('ZADD', P .. 'l:' .. shown, 0, member)
  eachLabel(fields, function(label) call('ZADD', labelKey(shown, label), 0, member) end)
end

local function delist(id, fields)
  local shown = SHOWN[fields[STATE]]
  if not shown then return end
  local member = place(fields[STARTED], id)
  call('ZREM', P .. 'l:' .. shown, member)
  eachLabel(fields, function(label) call('ZREM', labelKey(shown, label), member) end)
end
`;

/**
 * The history of a sandbox's metadata: a list, the newest last. An entry is a line with revision, time, kind, API key (JSON),
 * what it counts in bytes and what all up to it do; then a line for each change: key, tab, '=' and value, or key, tab, '-'.
 */
export const history = `
-- Drops what is beyond the limits: from the sums in the first and the last entry, without reading those in between.
local function recordChange(id, revision, now, kind, apiKey, changes)
  local key = P .. 'h:' .. id
  local _, count = string.gsub(changes, '\\n', '')
  local _, escapes = string.gsub(changes, '\\\\.', '')
  local bytes = ${historyLimits.entryBytes} + #changes - 3 * count - escapes
  local sums = '^[^\\n]*\\t(%d+)\\t(%d+)\\n'
  local _, before = string.match(call('LINDEX', key, -1) or '', sums)
  local total = (tonumber(before) or 0) + bytes
  local line = {digits(revision), digits(now), kind, apiKey, digits(bytes), digits(total)}
  local n = call('RPUSH', key, table.concat(line, '\\t') .. '\\n' .. changes)
  while n > 1 and (n > ${historyLimits.entries} or total > ${historyLimits.bytes}) do
    if n <= ${historyLimits.entries} then
      local first, upTo = string.match(call('LINDEX', key, 0), sums)
      if total - (tonumber(upTo) or 0) + (tonumber(first) or 0) <= ${historyLimits.bytes} then break end
    end
    call('LPOP', key)
    n = n - 1
  end
end
`;

/** Whether a node in this state is sent what it lacks; the other states get theirs with the next start. */
export const pushing = `
local function mayBePushed(state) return state == 'running' or state == 'snapshotting' end
`;

/** The rules of the domain about states, as Lua tables. */
export const states = `
local COUNTS = {${luaTable((state) => (countsAsConcurrent(state) ? "true" : undefined))}}
local OUTLIVES = {${luaTable((state) => (outlivesExecution(state) ? "true" : undefined))}}
local TRANSITIONAL = {${luaTable((state) => (transitionalStates.includes(state) ? "true" : undefined))}}
`;

/** A pattern that captures so many lines. */
export function lines(count: number): string {
  return new Array(count).fill("([^\\n]*)").join("\\n");
}

function shownLetter(state: SandboxState): string | undefined {
  const shown = publicState(state);
  return shown && (shown === "running" ? "'r'" : "'p'");
}

function luaTable(value: (state: SandboxState) => string | undefined): string {
  return allStates.flatMap((state) => value(state)?.replace(/^/, `${state} = `) ?? []).join(", ");
}
