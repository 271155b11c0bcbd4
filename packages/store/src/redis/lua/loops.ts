import { base, fencing, loading, positions, reading } from "./prelude.ts";
import { readingScript, upkeepScript } from "./script.ts";

/** Scripts on keys of their own slot, where KEYS[1] is not a team's epoch key. */
const clock = `
local call = redis.call
local function digits(n) return string.format('%.0f', n) end
local function clock()
  local t = call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end
`;

/**
 * KEYS[1] the teams by the time at which to look at them. ARGV: 1 how many teams, 2 how long in µs until they are looked
 * at again, if the one who takes them now should not come to it.
 */
export const takeTeams = upkeepScript(
  "takeTeams",
  clock,
  `
local now = clock()
local teams = call('ZRANGEBYSCORE', KEYS[1], '-inf', digits(now), 'LIMIT', 0, tonumber(ARGV[1]))
for _, team in ipairs(teams) do call('ZADD', KEYS[1], 'XX', digits(now + tonumber(ARGV[2])), team) end
return teams
`,
);

/** KEYS[1] the teams by time. ARGV: 1 team, 2 µs from now at which to look at it, unless that is earlier anyway. */
export const expectWork = upkeepScript(
  "expectWork",
  clock,
  `
return call('ZADD', KEYS[1], 'LT', digits(clock() + tonumber(ARGV[2])), ARGV[1])
`,
);

/**
 * A team's records that are due. ARGV: 1 the sorted set ('push', 'ends', 'states'), 2 how many to skip, 3 how many to
 * read. Answers {'ok', µs until the next one or '', how many sandboxes count as concurrent, then time and record of each}.
 */
export const listDue = readingScript(
  "listDue",
  base,
  reading,
  `
if call('EXISTS', KEYS[1]) == 0 then return {'noteam'} end
local index, now = P .. ARGV[1], clock()
local due = call('ZRANGEBYSCORE', index, '-inf', digits(now), 'WITHSCORES', 'LIMIT', tonumber(ARGV[2]), tonumber(ARGV[3]))
local first = call('ZRANGE', index, 0, 0, 'WITHSCORES')
local answer = {'ok', first[2] and digits(math.max(0, tonumber(first[2]) - now)) or '', call('SCARD', P .. 'live')}
for i = 1, #due, 2 do
  answer[#answer + 1] = digits(tonumber(due[i + 1]))
  answer[#answer + 1] = read(due[i])
end
return answer
`,
);

/** ARGV: 1 the store's epoch, 2 sandbox, 3 execution, 4 delay in µs. */
export const deferPush = upkeepScript(
  "deferPush",
  base,
  fencing,
  positions,
  loading,
  `
local stop = fence(tonumber(ARGV[1]))
if stop then return stop end
local fields = load(ARGV[2])
if fields and fields[EXEC] == ARGV[3] then
  call('ZADD', P .. 'push', 'XX', digits(clock() + tonumber(ARGV[4])), ARGV[2])
end
return {'ok'}
`,
);

/** A team's records on a node, a portion at a time. ARGV: 1 node, 2 the id after which to go on or '', 3 how many. */
export const listOnNode = readingScript(
  "listOnNode",
  base,
  reading,
  `
if call('EXISTS', KEYS[1]) == 0 then return {'noteam'} end
local from = ARGV[2] ~= '' and '(' .. ARGV[2] or '-'
local answer = {'ok'}
for _, id in ipairs(call('ZRANGEBYLEX', P .. 'n:' .. ARGV[1], from, '+', 'LIMIT', 0, tonumber(ARGV[3]))) do
  answer[#answer + 1] = read(id)
end
return answer
`,
);

/** KEYS[1] the nodes. ARGV: 1 node, 2 lease in µs, 3 JSON. Answers when the lease runs out. */
export const renewLease = upkeepScript(
  "renewLease",
  clock,
  `
local expires = digits(clock() + tonumber(ARGV[2]))
call('HSET', KEYS[1], ARGV[1], expires .. ' ' .. ARGV[3])
return expires
`,
);

/**
 * KEYS[1] the store's epoch. ARGV: 1 the server's run id, 2 the run id that the caller knew before or '', 3 the highest
 * epoch or revision that the caller knows, 4 the caller's cluster or ''. Answers false where that is another one's store.
 * A run id that the store has not seen, or none at all, is a new incarnation;
 * and so is one that another caller has opened without knowing what this one knew from before.
 */
export const openEpoch = upkeepScript(
  "openEpoch",
  clock,
  `
local run, epoch, cluster = unpack(call('HMGET', KEYS[1], 'run', 'epoch', 'cluster'))
if ARGV[4] ~= '' then
  if cluster and cluster ~= ARGV[4] then return false end
  if not cluster then call('HSET', KEYS[1], 'cluster', ARGV[4]) end
end
local known = tonumber(ARGV[3])
local behind = ARGV[2] ~= '' and ARGV[2] ~= ARGV[1] and known >= tonumber(epoch or 0)
if run == ARGV[1] and epoch and not behind then return epoch end
epoch = digits(math.max(clock(), tonumber(epoch or 0) + 1, known + 1))
call('HSET', KEYS[1], 'run', ARGV[1], 'epoch', epoch)
return epoch
`,
);

/** KEYS[1] the store's epoch. ARGV: 1 what a node knows. */
export const raiseEpoch = upkeepScript(
  "raiseEpoch",
  clock,
  `
local epoch = call('HGET', KEYS[1], 'epoch')
if not epoch then return false end
local known = tonumber(ARGV[1])
if known < tonumber(epoch) then return epoch end
epoch = digits(math.max(clock(), known + 1))
call('HSET', KEYS[1], 'epoch', epoch)
return epoch
`,
);

/** KEYS[1] the teams by time. ARGV: 1 team, 2 µs from now before which not to look at it, as far as it is known. */
export const putOffTeam = upkeepScript(
  "putOffTeam",
  clock,
  `
return call('ZADD', KEYS[1], 'XX', 'GT', digits(clock() + tonumber(ARGV[2])), ARGV[1])
`,
);
