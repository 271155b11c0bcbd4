import { readingScript, script, upkeepScript } from "./script.ts";

/** Scripts on the slot of the access tokens. KEYS[1] is the sorted set; the other two keys are derived from it. */
const tokens = `
local call = redis.call
local P = string.sub(KEYS[1], 1, -5)
local function digits(n) return string.format('%.0f', n) end
`;

/**
 * ARGV: 1 sandbox, 2 token, 3 'NX' to leave a token that is there. A place is above every earlier one, also of those that
 * were removed or lost: it is the time, or one more than the last.
 */
export const keepToken = script(
  "keepToken",
  tokens,
  `
local known = call('HGET', P .. 'of', ARGV[1])
if known and (known == ARGV[2] or ARGV[3] == 'NX') then return 0 end
local t = call('TIME')
local place = digits(math.max(tonumber(t[1]) * 1000000 + tonumber(t[2]), tonumber(call('GET', P .. 'last') or 0) + 1))
call('SET', P .. 'last', place)
call('HSET', P .. 'of', ARGV[1], ARGV[2])
call('ZADD', KEYS[1], place, ARGV[1])
return 1
`,
);

/** ARGV: sandboxes. */
export const dropTokens = upkeepScript(
  "dropTokens",
  tokens,
  `
for _, id in ipairs(ARGV) do
  call('ZREM', KEYS[1], id)
  call('HDEL', P .. 'of', id)
end
return #ARGV
`,
);

/** ARGV: 1 the place after which to begin, 2 how many. Answers {how many in all, the last one's place or '', id, token, …}. */
export const listTokens = readingScript(
  "listTokens",
  tokens,
  `
local found = call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, tonumber(ARGV[2]))
local answer = {call('ZCARD', KEYS[1]), found[1] and digits(tonumber(found[#found])) or ''}
for i = 1, #found, 2 do
  answer[#answer + 1] = found[i]
  answer[#answer + 1] = call('HGET', P .. 'of', found[i]) or ''
end
return answer
`,
);

/** ARGV: 1 how many, 2 how old in µs at least. Answers some sandboxes at random. */
export const sampleTokens = readingScript(
  "sampleTokens",
  tokens,
  `
local t = call('TIME')
local before = tonumber(t[1]) * 1000000 + tonumber(t[2]) - tonumber(ARGV[2])
local found, answer = call('ZRANDMEMBER', KEYS[1], tonumber(ARGV[1]), 'WITHSCORES'), {}
for i = 1, #found, 2 do
  if tonumber(found[i + 1]) < before then answer[#answer + 1] = found[i] end
end
return answer
`,
);
