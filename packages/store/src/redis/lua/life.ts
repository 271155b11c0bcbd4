import { base, fencing, listing, loading, portions, pushing, reading, relisting, revising, states } from "./prelude.ts";
import { script } from "./script.ts";

/** Writing a whole new record: its fields, its metadata (a flat list) and every index. */
const inserting = `
local function insert(id, identity, fields, meta)
  call('SET', P .. 'i:' .. id, identity)
  local flat = {'v', '1'}
  for name, value in pairs(fields) do
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  call('HSET', P .. 's:' .. id, unpack(flat))
  call('DEL', P .. 'm:' .. id)
  inPortions('HSET', P .. 'm:' .. id, meta)
  call('ZADD', P .. 'n:' .. fields.node, 0, id)
  if COUNTS[fields.state] then call('SADD', P .. 'live', id) end
  if fields.state == 'running' then call('ZADD', P .. 'ends', fields['end'], id) end
  if fields.deadline then call('ZADD', P .. 'states', fields.deadline, id) end
  enlist(id, fields, meta)
end
`;

/**
 * ARGV: 1 the store's epoch, 2 the request's, 3 sandbox, 4 execution, 5 node, 6 lifetime in µs, 7 µs until the state is
 * settled, 8 the team's limit, 9 identity, 10 template, 11 alias or '', 12 egress, 13 bytes of metadata; then metadata.
 */
export const create = script(
  "create",
  base,
  fencing,
  revising,
  reading,
  loading,
  portions,
  listing,
  relisting,
  states,
  inserting,
  `
local epoch, id, execution = tonumber(ARGV[1]), ARGV[3], ARGV[4]
local stop = fence(epoch)
if stop then return stop end
if call('EXISTS', P .. 'team') == 0 then return {'noteam'} end
local known = load(id)
if known then
  if known.exec ~= execution then return {'exists'} end
  return {'ok', read(id)}
end
if tonumber(ARGV[2]) ~= epoch then return {'stale'} end
if call('EXISTS', P .. 'x:' .. id .. ':' .. execution) == 1 then return {'removed'} end
if call('SCARD', P .. 'live') >= tonumber(ARGV[8]) then return {'quota'} end

local now = clock()
local revision = digits(nextRevision(0, now, epoch))
local meta = {}
for i = 14, #ARGV do meta[i - 13] = ARGV[i] end
insert(id, ARGV[9], {
  state = 'creating', deadline = digits(now + tonumber(ARGV[7])),
  exec = execution, gen = '1', node = ARGV[5], started = digits(now), epoch = digits(epoch),
  tpl = ARGV[10], alias = ARGV[11] ~= '' and ARGV[11] or nil,
  mrev = revision, mapp = '0', mbytes = ARGV[13],
  ['end'] = digits(now + tonumber(ARGV[6])), erev = revision, eapp = '0',
  egress = ARGV[12], grev = revision, gapp = '0'
}, meta)
return {'ok', read(id)}
`,
);

/**
 * ARGV: 1 the store's epoch, 2 the report's, 3 sandbox, 4 execution, 5 generation, 6 node, 7 boot, 8 start,
 * 9 revision of the metadata, 10 end, 11 its revision, 12 egress, 13 its revision, 14 identity, 15 template,
 * 16 alias or '', 17 bytes of metadata; then metadata.
 */
export const adopt = script(
  "adopt",
  base,
  fencing,
  loading,
  portions,
  listing,
  relisting,
  states,
  inserting,
  `
local epoch, id, execution = tonumber(ARGV[1]), ARGV[3], ARGV[4]
-- A node's report may be the first that an emptied store hears of a team.
call('SET', KEYS[1], digits(epoch), 'NX')
local stop = fence(epoch)
if stop then return stop end
if load(id) then return {'known'} end
if call('EXISTS', P .. 'x:' .. id .. ':' .. execution) == 1 then return {'tombstoned'} end
if tonumber(ARGV[2]) ~= epoch then return {'stale'} end

local meta = {}
for i = 18, #ARGV do meta[i - 17] = ARGV[i] end
insert(id, ARGV[14], {
  state = 'running', exec = execution, gen = ARGV[5], node = ARGV[6], boot = ARGV[7], started = ARGV[8],
  epoch = digits(epoch), tpl = ARGV[15], alias = ARGV[16] ~= '' and ARGV[16] or nil,
  mrev = ARGV[9], mapp = ARGV[9], mbytes = ARGV[17],
  ['end'] = ARGV[10], erev = ARGV[11], eapp = ARGV[11],
  egress = ARGV[12], grev = ARGV[13], gapp = ARGV[13]
}, meta)
return {'adopted'}
`,
);

/** Takes a loaded record to another state and brings every index along. */
const becoming = `
local APPLIED = {'mapp', 'eapp', 'gapp'}
local REVISION = {'mrev', 'erev', 'grev'}

-- change: to, wait (µs until settled), and if given: exec, gen, node, lifetime (µs), boot and applied (three revisions).
local function become(id, fields, change, epoch)
  local now, to, after = clock(), change.to, {}
  for name, value in pairs(fields) do after[name] = value end
  after.v, after.state, after.epoch = '1', to, digits(epoch)
  after.deadline = TRANSITIONAL[to] and digits(now + change.wait) or nil

  if change.exec then
    after.exec, after.gen, after.node, after.started = change.exec, change.gen, change.node, digits(now)
    after.boot, after.prev = nil, nil
    for _, name in ipairs(APPLIED) do after[name] = '0' end
  end
  if change.boot and change.boot ~= after.prev then
    local same = change.boot == after.boot
    for n, name in ipairs(APPLIED) do
      local applied = change.applied[n]
      if same then applied = math.max(applied, tonumber(after[name] or 0)) end
      after[name] = digits(applied)
    end
    if not same then after.boot, after.prev = change.boot, after.boot end
  end

  local ends = tonumber(fields['end'])
  if change.lifetime then ends = now + change.lifetime end
  if to == 'paused' then ends = now end
  if ends ~= tonumber(fields['end']) then
    after['end'], after.erev = digits(ends), digits(nextRevision(tonumber(fields.erev), now, epoch))
  end

  local flat, absent = {}, {}
  for name, value in pairs(after) do
    if fields[name] ~= value then
      flat[#flat + 1] = name
      flat[#flat + 1] = value
    end
  end
  for name in pairs(fields) do
    if after[name] == nil then absent[#absent + 1] = name end
  end
  if #flat > 0 then call('HSET', P .. 's:' .. id, unpack(flat)) end
  if #absent > 0 then call('HDEL', P .. 's:' .. id, unpack(absent)) end

  if COUNTS[to] then call('SADD', P .. 'live', id) else call('SREM', P .. 'live', id) end
  if to == 'running' then call('ZADD', P .. 'ends', after['end'], id) else call('ZREM', P .. 'ends', id) end
  if after.deadline then call('ZADD', P .. 'states', after.deadline, id) else call('ZREM', P .. 'states', id) end
  if after.node ~= fields.node then
    call('ZREM', P .. 'n:' .. fields.node, id)
    call('ZADD', P .. 'n:' .. after.node, 0, id)
  end
  if SHOWN[fields.state] ~= SHOWN[to] or fields.started ~= after.started then
    local meta = call('HGETALL', P .. 'm:' .. id)
    delist(id, fields, meta)
    enlist(id, after, meta)
  end

  local current = true
  for n, name in ipairs(APPLIED) do
    current = current and tonumber(after[name] or 0) == tonumber(after[REVISION[n]] or 0)
  end
  if mayBePushed(to) and not current then
    call('ZADD', P .. 'push', 'NX', digits(now), id)
  else
    call('ZREM', P .. 'push', id)
  end
end
`;

/**
 * ARGV: 1 the store's epoch, 2 sandbox, 3 execution, 4 to, 5 µs until settled, 6 to 8 next execution, generation and
 * node or '', 9 lifetime in µs or '', 10 the team's limit or '', 11 boot or '', 12 to 14 what it applied; then the
 * states from which the change may be.
 */
export const transition = script(
  "transition",
  base,
  fencing,
  revising,
  reading,
  loading,
  listing,
  relisting,
  pushing,
  states,
  becoming,
  `
local epoch, id = tonumber(ARGV[1]), ARGV[2]
local stop = fence(epoch)
if stop then return stop end
local fields = load(id)
if not fields then return {'missing'} end
if fields.exec ~= ARGV[3] then return {'execution'} end
local from = false
for i = 15, #ARGV do from = from or ARGV[i] == fields.state end
if not from then return {'state', fields.state} end

local change = {to = ARGV[4], wait = tonumber(ARGV[5]), lifetime = tonumber(ARGV[9])}
if ARGV[6] ~= '' then
  if tonumber(ARGV[7]) <= tonumber(fields.gen or 1) then return {'execution'} end
  change.exec, change.gen, change.node = ARGV[6], ARGV[7], ARGV[8]
end
if ARGV[11] ~= '' then
  change.boot, change.applied = ARGV[11], {tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14])}
end
if ARGV[10] ~= '' and COUNTS[change.to] and not COUNTS[fields.state]
  and call('SCARD', P .. 'live') >= tonumber(ARGV[10]) then return {'quota'} end
become(id, fields, change, epoch)
return {'ok', read(id)}
`,
);

/** ARGV: 1 the store's epoch, 2 sandbox, 3 execution, 4 to, 5 µs until settled. */
export const claimEnded = script(
  "claimEnded",
  base,
  fencing,
  revising,
  reading,
  loading,
  listing,
  relisting,
  pushing,
  states,
  becoming,
  `
local epoch, id = tonumber(ARGV[1]), ARGV[2]
local stop = fence(epoch)
if stop then return stop end
local fields = load(id)
if not fields or fields.exec ~= ARGV[3] or fields.state ~= 'running' then return {'no'} end
if tonumber(fields['end']) > clock() then return {'no'} end
become(id, fields, {to = ARGV[4], wait = tonumber(ARGV[5])}, epoch)
return {'ok', read(id)}
`,
);

/** ARGV: 1 the store's epoch, 2 sandbox, 3 execution, 4 how long the tombstone is kept in ms. */
export const remove = script(
  "remove",
  base,
  fencing,
  loading,
  listing,
  relisting,
  `
local epoch, id, execution = tonumber(ARGV[1]), ARGV[2], ARGV[3]
call('SET', KEYS[1], digits(epoch), 'NX')
local stop = fence(epoch)
if stop then return stop end
local fields = load(id)
if fields and fields.exec ~= execution then return {'ok', 0} end
call('SET', P .. 'x:' .. id .. ':' .. execution, '', 'PX', ARGV[4])
if not fields then return {'ok', 0} end
delist(id, fields, call('HGETALL', P .. 'm:' .. id))
call('DEL', P .. 'i:' .. id, P .. 's:' .. id, P .. 'm:' .. id)
call('SREM', P .. 'live', id)
for _, name in ipairs({'push', 'ends', 'states', 'n:' .. fields.node}) do call('ZREM', P .. name, id) end
return {'ok', 1}
`,
);
