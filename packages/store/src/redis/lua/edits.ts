import { base, fencing, listing, loading, portions, pushing, reading, revising } from "./prelude.ts";
import { script } from "./script.ts";

/**
 * What every live edit begins with, in this order: team, operation id (a replay ends here, whatever the state is now),
 * epoch. ARGV: 1 the store's epoch, 2 the request's, 3 sandbox, 4 operation id, 5 grace until a push is due in µs,
 * 6 how long the operation id is kept in ms.
 */
const beginning = `
local epoch, id = tonumber(ARGV[1]), ARGV[3]
local record = P .. 's:' .. id
local operation = P .. 'o:' .. id .. ':' .. ARGV[4]

local function begin()
  if call('EXISTS', operation) == 1 and call('EXISTS', record) == 1 then return {'ok', 0, 1, read(id)} end
  local stop = fence(epoch)
  if stop then return stop end
  if tonumber(ARGV[2]) ~= epoch then return {'stale'} end
  if call('EXISTS', record) == 0 then return {'missing'} end
end

local function finish(changed)
  call('SET', operation, '', 'PX', ARGV[6])
  return {'ok', changed, 0, read(id)}
end
`;

/**
 * ARGV from 7: revision of If-Match or '', most keys, most bytes; then key and '=' .. value, or key and '-' to remove.
 */
export const editMetadata = script(
  "editMetadata",
  base,
  fencing,
  reading,
  revising,
  portions,
  listing,
  pushing,
  beginning,
  `
local stop = begin()
if stop then return stop end

local state, revision, started, bytes = unpack(call('HMGET', record, 'state', 'mrev', 'started', 'mbytes'))
if state == 'creating' then return {'missing'} end
if state == 'killing' then return {'state', state} end
if ARGV[7] ~= '' and tonumber(ARGV[7]) ~= tonumber(revision) then return {'revision'} end

local metadata = P .. 'm:' .. id
if not bytes then
  bytes = 0
  for _, text in ipairs(call('HGETALL', metadata)) do bytes = bytes + #text end
end
bytes = tonumber(bytes)

-- The delta against what is stored: what it sets, what it removes, and the tags that come and go with that.
local sets, removals, fresh, gone, added = {}, {}, {}, {}, 0
for i = 10, #ARGV, 2 do
  local key, edit = ARGV[i], ARGV[i + 1]
  local before = call('HGET', metadata, key)
  if edit == '-' then
    if before then
      removals[#removals + 1] = key
      gone[#gone + 1] = tagLabel(key, before)
      bytes = bytes - #key - #before
      added = added - 1
    end
  else
    local after = string.sub(edit, 2)
    if before ~= after then
      sets[#sets + 1] = key
      sets[#sets + 1] = after
      fresh[#fresh + 1] = tagLabel(key, after)
      if before then
        gone[#gone + 1] = tagLabel(key, before)
        bytes = bytes - #before + #after
      else
        bytes = bytes + #key + #after
        added = added + 1
      end
    end
  end
end
if #sets == 0 and #removals == 0 then return finish(0) end

if call('HLEN', metadata) + added > tonumber(ARGV[8]) then return {'keys'} end
if bytes > tonumber(ARGV[9]) then return {'bytes'} end

local now = clock()
inPortions('HDEL', metadata, removals)
inPortions('HSET', metadata, sets)
call('HSET', record, 'v', '1', 'mrev', digits(nextRevision(tonumber(revision), now, epoch)), 'mbytes', digits(bytes),
  'epoch', digits(epoch))
local shown = SHOWN[state]
if shown then
  local member = place(started, id)
  for _, label in ipairs(gone) do call('ZREM', labelKey(shown, label), member) end
  for _, label in ipairs(fresh) do call('ZADD', labelKey(shown, label), 0, member) end
end
duePush(id, state, now + tonumber(ARGV[5]))
return finish(1)
`,
);

/** ARGV from 7: lifetime in µs, 'set' or 'extend'. */
export const editEndTime = script(
  "editEndTime",
  base,
  fencing,
  reading,
  revising,
  pushing,
  beginning,
  `
local stop = begin()
if stop then return stop end

local state, before, revision = unpack(call('HMGET', record, 'state', 'end', 'erev'))
if state == 'creating' then return {'missing'} end
if state ~= 'running' then return {'state', state} end
local now = clock()
local value = now + tonumber(ARGV[7])
if value == tonumber(before) or (ARGV[8] == 'extend' and value < tonumber(before)) then return finish(0) end

call('HSET', record, 'v', '1', 'end', digits(value), 'erev', digits(nextRevision(tonumber(revision), now, epoch)),
  'epoch', digits(epoch))
call('ZADD', P .. 'ends', digits(value), id)
duePush(id, state, now + tonumber(ARGV[5]))
return finish(1)
`,
);

/** ARGV from 7: the policy as JSON in the adapter's one way of writing it. */
export const editEgress = script(
  "editEgress",
  base,
  fencing,
  reading,
  revising,
  pushing,
  beginning,
  `
local stop = begin()
if stop then return stop end

local state, before, revision = unpack(call('HMGET', record, 'state', 'egress', 'grev'))
if state == 'creating' then return {'missing'} end
if state ~= 'running' then return {'state', state} end
if before == ARGV[7] then return finish(0) end

local now = clock()
call('HSET', record, 'v', '1', 'egress', ARGV[7], 'grev', digits(nextRevision(tonumber(revision or 0), now, epoch)),
  'epoch', digits(epoch))
duePush(id, state, now + tonumber(ARGV[5]))
return finish(1)
`,
);

/**
 * Notes what nodes hold. ARGV: 1 the store's epoch; then for each report: sandbox, execution, epoch, boot, and the
 * revisions of metadata, end time and egress.
 */
export const confirm = script(
  "confirm",
  base,
  fencing,
  loading,
  pushing,
  `
local epoch = tonumber(ARGV[1])
local stop = fence(epoch)
if stop then return stop end

for i = 2, #ARGV, 7 do
  local id, execution, boot = ARGV[i], ARGV[i + 1], ARGV[i + 3]
  local fields = load(id)
  if fields and fields.exec == execution and fields.prev ~= boot and tonumber(ARGV[i + 2]) == epoch then
    local changes, current = {'epoch', digits(epoch)}, true
    for n, names in ipairs({{'mrev', 'mapp'}, {'erev', 'eapp'}, {'grev', 'gapp'}}) do
      local applied = tonumber(ARGV[i + 3 + n])
      if fields.boot == boot then applied = math.max(applied, tonumber(fields[names[2]] or 0)) end
      current = current and applied == tonumber(fields[names[1]] or 0)
      changes[#changes + 1] = names[2]
      changes[#changes + 1] = digits(applied)
    end
    if fields.boot ~= boot then
      changes[#changes + 1] = 'boot'
      changes[#changes + 1] = boot
      changes[#changes + 1] = 'prev'
      changes[#changes + 1] = fields.boot or ''
    end
    call('HSET', P .. 's:' .. id, unpack(changes))
    if current then
      call('ZREM', P .. 'push', id)
    elseif mayBePushed(fields.state) then
      call('ZADD', P .. 'push', 'NX', digits(clock()), id)
    end
  end
end
return {'ok'}
`,
);
