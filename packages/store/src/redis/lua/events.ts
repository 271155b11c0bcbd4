import { eventOfRemoval, eventOfTransition } from "@castellan/domain";
import { eventsKept, upkeepEvery } from "../../events/limits.ts";
import { allStates } from "../../states.ts";
import { base } from "./prelude.ts";
import { readingScript } from "./script.ts";

/**
 * Adding to the team's stream of events, in the same step as the change: one command. The text is that of event-text.ts.
 * Uses `base`.
 */
export const emitting = `
local function trimEvents(now)
  local stream = P .. 'events'
  call('XTRIM', stream, 'MINID', '~', digits(now - ${eventsKept.micros}))
  local bytes = redis.pcall('MEMORY', 'USAGE', stream)
  if type(bytes) == 'number' and bytes > ${eventsKept.bytes} then
    call('XTRIM', stream, 'MAXLEN', '~', math.floor(call('XLEN', stream) * ${eventsKept.bytes} / bytes))
  end
end

-- event: type, id, exec, tpl, key, revision, started, what, value, body.
local function emit(epoch, now, event)
  local text = table.concat({'1', event.type, event.id, event.exec, event.tpl, event.key, digits(now), event.revision,
    event.started, event.what or '', event.value or '', event.body}, '\\n')
  local stream, place = P .. 'events', math.max(now, epoch)
  local added = redis.pcall('XADD', stream, 'MAXLEN', '~', ${eventsKept.count}, digits(place), 'e', text)
  if type(added) == 'table' and added.err then
    -- The clock has stepped back, or the epoch is ahead of it: one above the last that there ever was.
    local facts, last = call('XINFO', 'STREAM', stream), 0
    for i = 1, #facts, 2 do
      if facts[i] == 'last-generated-id' then last = tonumber(string.match(facts[i + 1], '^%d+')) end
    end
    call('XADD', stream, 'MAXLEN', '~', ${eventsKept.count}, digits(last + 1), 'e', text)
  end
  if now % ${upkeepEvery} == 0 then trimEvents(now) end
end
`;

/** What a change of state says to the outside. Uses `positions` and `emitting`. */
export const lifeEvents = `
local EVENT = {${pairsOf()}}
local REMOVED = {${allStates.flatMap((state) => (eventOfRemoval(state) ? `${state} = '${eventOfRemoval(state)}'` : [])).join(", ")}}

-- type: of the event, or 'found'. why: key (as JSON), cause.
local function emitLife(epoch, now, type, id, fields, why)
  local event = {type = type, id = id, exec = fields[EXEC], tpl = fields[TPL], key = why.key, revision = fields[MREV],
    started = fields[STARTED], body = string.sub(fields[METADATA], 2)}
  if type == 'found' then event.type, event.what = 'updated', 'found' end
  if type == 'created' or type == 'killed' or type == 'paused' then
    local identity = call('GET', P .. 'i:' .. id) or ''
    if type == 'created' and event.key == '' then event.key = string.match(identity, '"apiKeyId":("[^"]*")') or '' end
    if type ~= 'created' then
      event.value = (string.match(identity, '"cpuCount":([%d.]+)') or 0) .. ' '
        .. (string.match(identity, '"memoryMb":([%d.]+)') or 0)
    end
    if type == 'killed' then event.what = why.cause ~= '' and why.cause or 'unknown' end
  end
  emit(epoch, now, event)
  if type == 'created' or type == 'killed' then trimEvents(now) end
end
`;

/**
 * A step of a search. ARGV: 1 'asc' or 'desc', 2 the id beyond which to look or '', 3 how many to look at, 4 sandbox or
 * ''; then the types, none for all. Answers {'ok', how many were looked at, the last one's id or '', then id and text of
 * each that was found}.
 */
export const scanEvents = readingScript(
  "scanEvents",
  base,
  `
local oldest = math.max(0, clock() - ${eventsKept.micros})
local after = ARGV[2] ~= '' and '(' .. ARGV[2] .. '-0'
local entries
if ARGV[1] == 'asc' then
  local from = after and tonumber(ARGV[2]) >= oldest and after or digits(oldest)
  entries = call('XRANGE', P .. 'events', from, '+', 'COUNT', ARGV[3])
else
  entries = call('XREVRANGE', P .. 'events', after or '+', digits(oldest), 'COUNT', ARGV[3])
end
local types
for i = 5, #ARGV do
  types = types or {}
  types[ARGV[i]] = true
end
local answer = {'ok', #entries, ''}
for _, entry in ipairs(entries) do
  local id, text = string.match(entry[1], '^%d+'), entry[2][2]
  local type, sandbox = string.match(text, '^[^\\n]*\\n([^\\n]*)\\n([^\\n]*)')
  if (not types or types[type]) and (ARGV[4] == '' or ARGV[4] == sandbox) then
    answer[#answer + 1] = id
    answer[#answer + 1] = text
  end
  answer[3] = id
end
return answer
`,
);

function pairsOf(): string {
  const pairs: string[] = [];
  for (const from of allStates) {
    for (const to of allStates) {
      const type = eventOfTransition(from, to);
      if (type !== undefined) pairs.push(`['${from} ${to}'] = '${type}'`);
    }
  }
  return pairs.join(", ");
}
