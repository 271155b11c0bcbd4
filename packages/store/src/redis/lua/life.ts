import { emitting, lifeEvents } from "./events.ts";
import {
  base,
  fencing,
  history,
  listing,
  loading,
  positions,
  pushing,
  reading,
  relisting,
  revising,
  states,
  verifying,
} from "./prelude.ts";
import { readingScript, script, upkeepScript } from "./script.ts";

/** Writing a whole new record: its fields and every index. */
export const inserting = `
local function insert(id, identity, given)
  local fields = parse('1\\n\\t\\n')
  for field, value in pairs(given) do fields[field] = value end
  fields[MADE] = digits(clock())
  call('SET', P .. 'i:' .. id, identity)
  save(id, fields)
  call('ZADD', P .. 'n:' .. fields[NODE], 0, id)
  if COUNTS[fields[STATE]] then call('SADD', P .. 'live', id) end
  if fields[STATE] == 'running' then call('ZADD', P .. 'ends', fields[END], id) end
  if fields[DEADLINE] ~= '' then call('ZADD', P .. 'states', fields[DEADLINE], id) end
  enlist(id, fields)
end
`;

/** ARGV: 1 sandbox, 2 execution, 3 the team's limit. Answers {'ok', 1} when that is all that a create would be told. */
export const isAtLimit = readingScript(
  "isAtLimit",
  base,
  `
if call('EXISTS', P .. 'team') == 0 then return {'noteam'} end
if call('EXISTS', P .. 's:' .. ARGV[1], P .. 'x:' .. ARGV[1] .. ':' .. ARGV[2]) > 0 then return {'ok', 0} end
return {'ok', call('SCARD', P .. 'live') >= tonumber(ARGV[3]) and 1 or 0}
`,
);

/**
 * ARGV: 1 the store's epoch, 2 the request's, 3 sandbox, 4 execution, 5 node, 6 lifetime in µs, 7 µs until the state is
 * settled, 8 the team's limit, 9 identity, 10 template, 11 alias or '', 12 egress, 13 bytes and 14 keys of the metadata,
 * 15 the metadata, 16 the API key.
 */
export const create = script(
  "create",
  base,
  fencing,
  revising,
  reading,
  positions,
  loading,
  listing,
  relisting,
  states,
  history,
  inserting,
  `
local epoch, id, execution = tonumber(ARGV[1]), ARGV[3], ARGV[4]
local stop = fence(epoch)
if stop then return stop end
if call('EXISTS', P .. 'team') == 0 then return {'noteam'} end
local known = load(id)
if known then
  if known[EXEC] ~= execution then return {'exists'} end
  return {'ok', read(id)}
end
if tonumber(ARGV[2]) ~= epoch then return {'stale'} end
if call('EXISTS', P .. 'x:' .. id .. ':' .. execution) == 1 then return {'removed'} end
if call('SCARD', P .. 'live') >= tonumber(ARGV[8]) then return {'quota'} end

local now = clock()
local revision = digits(nextRevision(0, now, epoch))
insert(id, ARGV[9], {
  [STATE] = 'creating', [DEADLINE] = digits(now + tonumber(ARGV[7])),
  [EXEC] = execution, [GEN] = '1', [NODE] = ARGV[5], [STARTED] = digits(now), [EPOCH] = digits(epoch),
  [TPL] = ARGV[10], [ALIAS] = ARGV[11],
  [MREV] = revision, [MBYTES] = ARGV[13], [MKEYS] = ARGV[14], [METADATA] = '\\n' .. ARGV[15],
  [END] = digits(now + tonumber(ARGV[6])), [EREV] = revision,
  [EGRESS] = ARGV[12], [GREV] = revision
})
recordChange(id, tonumber(revision), now, 'created', ARGV[16], (string.gsub(ARGV[15], '\\t', '\\t=')))
return {'ok', read(id)}
`,
);

/** Takes a loaded record to another state and brings every index along. */
export const becoming = `
local REVISION, APPLIED = {MREV, EREV, GREV}, {MAPP, EAPP, GAPP}

-- change: to, wait (µs until settled), and if given: exec, gen, node and started, lifetime (µs), boot and applied (three
-- revisions).
-- why: key (as JSON) and cause for the event; nothing where nothing is to be said.
local function become(id, fields, change, epoch, why)
  local now, to, before = clock(), change.to, {unpack(fields)}
  fields[STATE] = to
  fields[DEADLINE] = TRANSITIONAL[to] and digits(now + change.wait) or ''

  if change.exec then
    fields[EXEC], fields[GEN], fields[NODE] = change.exec, change.gen, change.node
    fields[STARTED] = change.started or digits(now)
    fields[BOOT], fields[PREV] = '', ''
    for _, field in ipairs(APPLIED) do fields[field] = '0' end
  end
  if change.boot and change.boot ~= fields[PREV] then
    local same = change.boot == fields[BOOT]
    for n, field in ipairs(APPLIED) do
      local applied = change.applied[n]
      if same then applied = math.max(applied, tonumber(fields[field])) end
      fields[field] = digits(applied)
    end
    if not same then fields[BOOT], fields[PREV] = change.boot, fields[BOOT] end
  end

  local ends = tonumber(fields[END])
  if change.lifetime then ends = now + change.lifetime end
  if to == 'paused' and before[STATE] ~= 'paused' then ends = now end
  if ends ~= tonumber(fields[END]) then
    fields[END], fields[EREV] = digits(ends), digits(nextRevision(tonumber(fields[EREV]), now, epoch))
  end
  save(id, fields)

  if COUNTS[to] then call('SADD', P .. 'live', id) else call('SREM', P .. 'live', id) end
  if to == 'running' then call('ZADD', P .. 'ends', fields[END], id) else call('ZREM', P .. 'ends', id) end
  if TRANSITIONAL[to] then call('ZADD', P .. 'states', fields[DEADLINE], id) else call('ZREM', P .. 'states', id) end
  if fields[NODE] ~= before[NODE] then
    call('ZREM', P .. 'n:' .. before[NODE], id)
    call('ZADD', P .. 'n:' .. fields[NODE], 0, id)
  end
  if SHOWN[before[STATE]] ~= SHOWN[to] or before[STARTED] ~= fields[STARTED] then
    delist(id, before)
    enlist(id, fields)
  end

  local current = true
  for n, field in ipairs(APPLIED) do current = current and tonumber(fields[field]) == tonumber(fields[REVISION[n]]) end
  if mayBePushed(to) and not current then
    call('ZADD', P .. 'push', 'NX', digits(now), id)
  else
    call('ZREM', P .. 'push', id)
  end
  local type = why and EVENT[before[STATE] .. ' ' .. to]
  if type then emitLife(epoch, now, type, id, fields, why) end
end
`;

/**
 * ARGV: 1 the store's epoch, 2 sandbox, 3 execution, 4 to, 5 µs until settled, 6 to 8 next execution, generation and
 * node or '', 9 lifetime in µs or '', 10 the team's limit or '', 11 boot or '', 12 to 14 what it applied, 15 the API key as
 * JSON or '', 16 the cause or '', 17 whether there is an event; then the states from which the change may be.
 */
export const transition = upkeepScript(
  "transition",
  base,
  fencing,
  revising,
  reading,
  positions,
  loading,
  listing,
  relisting,
  pushing,
  states,
  emitting,
  lifeEvents,
  becoming,
  `
local epoch, id = tonumber(ARGV[1]), ARGV[2]
local stop = fence(epoch)
if stop then return stop end
local fields = load(id)
if not fields then return {'missing'} end
if fields[EXEC] ~= ARGV[3] then return {'execution'} end
local from = false
for i = 18, #ARGV do from = from or ARGV[i] == fields[STATE] end
if not from then return {'state', fields[STATE]} end

local change = {to = ARGV[4], wait = tonumber(ARGV[5]), lifetime = tonumber(ARGV[9])}
if ARGV[6] ~= '' then
  if tonumber(ARGV[7]) <= tonumber(fields[GEN]) then return {'execution'} end
  if fields[EPOCH] ~= digits(epoch) then return {'unverified'} end
  change.exec, change.gen, change.node = ARGV[6], ARGV[7], ARGV[8]
end
if ARGV[11] ~= '' then
  change.boot, change.applied = ARGV[11], {tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14])}
end
if ARGV[10] ~= '' and COUNTS[change.to] and not COUNTS[fields[STATE]]
  and call('SCARD', P .. 'live') >= tonumber(ARGV[10]) then return {'quota'} end
become(id, fields, change, epoch, ARGV[17] == '1' and {key = ARGV[15], cause = ARGV[16]})
return {'ok', read(id)}
`,
);

/** ARGV: 1 the store's epoch, 2 sandbox, 3 execution, 4 to, 5 µs until settled. */
export const claimEnded = upkeepScript(
  "claimEnded",
  base,
  verifying,
  fencing,
  revising,
  reading,
  positions,
  loading,
  listing,
  relisting,
  pushing,
  states,
  emitting,
  lifeEvents,
  becoming,
  `
local epoch, id = tonumber(ARGV[1]), ARGV[2]
local stop = fence(epoch)
if stop then return stop end
local fields = load(id)
if not fields or fields[EXEC] ~= ARGV[3] or fields[STATE] ~= 'running' then return {'no'} end
if tonumber(fields[END]) > clock() or not isVerified(fields[EPOCH], epoch) then return {'no'} end
become(id, fields, {to = ARGV[4], wait = tonumber(ARGV[5])}, epoch, {key = '', cause = 'timeout'})
return {'ok', read(id)}
`,
);

/** ARGV: 1 the store's epoch, 2 sandbox, 3 execution, 4 how long the tombstone is kept in ms, 5 the API key as JSON or '', 6 cause or ''. */
export const remove = upkeepScript(
  "remove",
  base,
  verifying,
  fencing,
  positions,
  loading,
  listing,
  relisting,
  states,
  emitting,
  lifeEvents,
  `
local epoch, id, execution = tonumber(ARGV[1]), ARGV[2], ARGV[3]
call('SET', KEYS[1], digits(epoch), 'NX')
local stop = fence(epoch)
if stop then return stop end
local fields = load(id)
if fields and fields[EXEC] ~= execution then return {'ok', 0} end
if fields and not isVerified(fields[EPOCH], epoch) then return {'unverified'} end
if fields and OUTLIVES[fields[STATE]] then return {'ok', 0} end
call('SET', P .. 'x:' .. id .. ':' .. execution, '', 'PX', ARGV[4])
if not fields then return {'ok', 0} end
local type = REMOVED[fields[STATE]]
if type then emitLife(epoch, clock(), type, id, fields, {key = ARGV[5], cause = ARGV[6]}) end
delist(id, fields)
call('DEL', P .. 'i:' .. id, P .. 's:' .. id, P .. 'd:' .. id, P .. 'h:' .. id, P .. 'k:' .. id, P .. 'kt:' .. id, P .. 'km:' .. id)
call('SREM', P .. 'live', id)
for _, name in ipairs({'push', 'ends', 'states', 'n:' .. fields[NODE]}) do call('ZREM', P .. name, id) end
return {'ok', 1}
`,
);
