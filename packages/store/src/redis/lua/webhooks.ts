import { base, fencing } from "./prelude.ts";
import { readingScript, script, upkeepScript } from "./script.ts";

const newest = `
local function newest()
  local last = call('XREVRANGE', P .. 'events', '+', '-', 'COUNT', 1)[1]
  return last and string.match(last[1], '^%d+') or '0'
end
`;

/** ARGV: 1 the store's epoch, 2 webhook, 3 JSON, 4 whether it is enabled, 5 most of a team. */
export const addWebhook = script(
  "addWebhook",
  base,
  fencing,
  newest,
  `
local stop = fence(tonumber(ARGV[1]))
if stop then return stop end
if call('EXISTS', P .. 'team') == 0 then return {'noteam'} end
if call('SCARD', P .. 'webhooks') >= tonumber(ARGV[5]) then return {'many'} end
call('SADD', P .. 'webhooks', ARGV[2])
call('HSET', P .. 'w:' .. ARGV[2], 'webhook', ARGV[3], 'enabled', ARGV[4], 'cursor', newest(), 'retries', '[]')
return {'ok'}
`,
);

/** Answers the JSON of every webhook of the team. */
export const listWebhooks = readingScript(
  "listWebhooks",
  base,
  `
local answer = {'ok'}
local ids = call('SMEMBERS', P .. 'webhooks')
table.sort(ids)
for _, id in ipairs(ids) do answer[#answer + 1] = call('HGET', P .. 'w:' .. id, 'webhook') end
return answer
`,
);

/** ARGV: 1 the store's epoch, 2 webhook, 3 the JSON as it was read, 4 as it is to be, 5 whether it is enabled then. */
export const editWebhook = script(
  "editWebhook",
  base,
  fencing,
  newest,
  `
local stop = fence(tonumber(ARGV[1]))
if stop then return stop end
local key = P .. 'w:' .. ARGV[2]
local stored, enabled = unpack(call('HMGET', key, 'webhook', 'enabled'))
if not stored then return {'missing'} end
if stored ~= ARGV[3] then return {'other'} end
call('HSET', key, 'webhook', ARGV[4], 'enabled', ARGV[5])
call('HDEL', key, 'owner')
if ARGV[5] == '1' and enabled ~= '1' then
  call('HSET', key, 'cursor', newest(), 'retries', '[]')
  call('HDEL', key, 'due')
end
return {'ok'}
`,
);

/** ARGV: 1 the store's epoch, 2 webhook. */
export const removeWebhook = upkeepScript(
  "removeWebhook",
  base,
  fencing,
  `
local stop = fence(tonumber(ARGV[1]))
if stop then return stop end
call('DEL', P .. 'w:' .. ARGV[2], P .. 'd:' .. ARGV[2])
return {'ok', call('SREM', P .. 'webhooks', ARGV[2])}
`,
);

/**
 * ARGV: 1 the store's epoch, 2 owner, 3 lease in µs, 4 how many. Answers {'ok', how many webhooks there are, now, then JSON,
 * cursor and retries of each that was claimed}.
 */
export const claimWebhooks = upkeepScript(
  "claimWebhooks",
  base,
  fencing,
  newest,
  `
local stop = fence(tonumber(ARGV[1]))
if stop then return stop end
local now, last, left = clock(), tonumber(newest()), tonumber(ARGV[4])
local ids = call('SMEMBERS', P .. 'webhooks')
local answer = {'ok', #ids, digits(now)}
for _, id in ipairs(ids) do
  local key = P .. 'w:' .. id
  local webhook, enabled, cursor, retries, due, owner, till =
    unpack(call('HMGET', key, 'webhook', 'enabled', 'cursor', 'retries', 'due', 'owner', 'till'))
  local free = not owner or tonumber(till) <= now
  local work = enabled == '1' and (last > tonumber(cursor) or (due and tonumber(due) <= now))
  if free and work and left > 0 then
    left = left - 1
    call('HSET', key, 'owner', ARGV[2], 'till', digits(now + tonumber(ARGV[3])))
    for _, part in ipairs({webhook, cursor, retries}) do answer[#answer + 1] = part end
  end
end
return answer
`,
);

/**
 * ARGV: 1 the store's epoch, 2 webhook, 3 owner, 4 cursor, 5 retries, 6 when the first is due or '', 7 lease in µs, 0 to
 * end it, 8 dead letters that are kept; then dead letters.
 */
export const settleWebhook = upkeepScript(
  "settleWebhook",
  base,
  fencing,
  `
local stop = fence(tonumber(ARGV[1]))
if stop then return stop end
local key, now = P .. 'w:' .. ARGV[2], clock()
local enabled, owner, till = unpack(call('HMGET', key, 'enabled', 'owner', 'till'))
if enabled ~= '1' or owner ~= ARGV[3] or tonumber(till) <= now then return {'lost'} end
call('HSET', key, 'cursor', ARGV[4], 'retries', ARGV[5], 'till', digits(now + tonumber(ARGV[7])))
if ARGV[6] == '' then call('HDEL', key, 'due') else call('HSET', key, 'due', ARGV[6]) end
if ARGV[7] == '0' then call('HDEL', key, 'owner') end
for i = 9, #ARGV do call('LPUSH', P .. 'd:' .. ARGV[2], ARGV[i]) end
if #ARGV > 8 then call('LTRIM', P .. 'd:' .. ARGV[2], 0, tonumber(ARGV[8]) - 1) end
return {'ok'}
`,
);

/** ARGV: 1 webhook. Answers {'ok', dead letters}, the newest first. */
export const listDeadLetters = readingScript(
  "listDeadLetters",
  base,
  `
if call('EXISTS', P .. 'w:' .. ARGV[1]) == 0 then return {'missing'} end
return {'ok', unpack(call('LRANGE', P .. 'd:' .. ARGV[1], 0, -1))}
`,
);
