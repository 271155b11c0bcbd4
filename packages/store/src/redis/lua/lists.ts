import { leadingFields } from "../record-fields.ts";
import { base, lines, listing, positions, reading } from "./prelude.ts";
import { readingScript } from "./script.ts";

/** ARGV: 1 sandbox, 2 the making of it that the caller has a copy of, or ''. */
export const get = readingScript(
  "get",
  base,
  positions,
  `
if call('EXISTS', KEYS[1]) == 0 then return {'noteam'} end
local text = call('GET', P .. 's:' .. ARGV[1])
if not text then return {'missing'} end
local made = ({string.match(text, '^${lines(leadingFields)}')})[MADE]
local identity = (ARGV[2] == '' or ARGV[2] ~= made) and call('GET', P .. 'i:' .. ARGV[1])
return {'ok', {identity, text}}
`,
);

/** Choosing what to walk: of the indexes that all must hold, the one with the fewest entries. */
const choosing = `
local function rarest(shown, labels)
  local best = P .. 'l:' .. shown
  local fewest = call('ZCARD', best)
  for _, label in ipairs(labels) do
    local key = labelKey(shown, label)
    local entries = call('ZCARD', key)
    if entries < fewest then best, fewest = key, entries end
  end
  return best, fewest
end
`;

/**
 * One bounded step of a listing. ARGV: 1 'desc' or 'asc', 2 how many to find, 3 the start and 4 the id after which to go
 * on, or '', 5 the earliest start or '', 6 how many entries to look at, 7 template or '', 8 the states ('r', 'p', 'rp');
 * then each tag: key, tab, value, escaped.
 *
 * Answers {'ok', how it ended, start and id of the last entry looked at, records…}: 'more' when another one was found
 * beyond the number wanted, 'end' when there is none, 'go on' when the bound came first.
 */
export const list = readingScript(
  "list",
  base,
  reading,
  listing,
  choosing,
  `
if call('EXISTS', KEYS[1]) == 0 then return {'noteam'} end
local newest, wanted, budget, template = ARGV[1] == 'desc', tonumber(ARGV[2]), tonumber(ARGV[6]), ARGV[7]
local range = newest and 'ZRANGEBYLEX' or 'ZREVRANGEBYLEX'

local labels, tags = {}, {}
for i = 9, #ARGV do
  labels[#labels + 1] = 'm' .. ARGV[i]
  tags[#tags + 1] = '\\n' .. ARGV[i] .. '\\n'
end
if template ~= '' then labels[#labels + 1] = 't' .. template end

-- In the order of bytes, whatever the server's locale is.
local function comesFirst(a, b)
  local x, y = tonumber(string.sub(a, 1, 16)), tonumber(string.sub(b, 1, 16))
  if x ~= y then return (x < y) == newest end
  for i = 17, math.min(#a, #b) do
    x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return (x < y) == newest end
  end
  return (#a < #b) == newest
end

-- A start at or after the earliest one stands before this in the order of bytes.
local bound = ARGV[5] ~= '' and string.format('%016.0f', 9007199254740991 - tonumber(ARGV[5])) .. '\\255' or nil

-- Where the walks begin and end.
local from, to = newest and '-' or '+', newest and '+' or '-'
if ARGV[4] ~= '' then from = '(' .. place(ARGV[3], ARGV[4]) end
if bound and newest then to = '(' .. bound end
if bound and not newest and (ARGV[4] == '' or tonumber(ARGV[3]) < tonumber(ARGV[5])) then from = '(' .. bound end

-- One walk per state, each read in portions.
local walks = {}
for shown in string.gmatch(ARGV[8], '.') do
  local key, entries = rarest(shown, labels)
  if entries > 0 then
    local whole = #labels == 0 or (#labels == 1 and key ~= P .. 'l:' .. shown)
    walks[#walks + 1] = {
      key = key, shown = shown, from = from, next = 1, entries = {},
      portion = math.min(whole and wanted + 1 or 200, budget)
    }
  end
end

local function head(walk)
  if walk.next > #walk.entries and not walk.ended then
    walk.entries = call(range, walk.key, walk.from, to, 'LIMIT', 0, walk.portion)
    walk.ended = #walk.entries < walk.portion
    walk.next = 1
    if #walk.entries > 0 then walk.from = '(' .. walk.entries[#walk.entries] end
  end
  return walk.entries[walk.next]
end

-- Compares with the record itself; the fields before its metadata have no tabs.
local function matches(walk, entry, id)
  if #tags > 0 then
    local text = call('GET', P .. 's:' .. id)
    for _, tag in ipairs(tags) do
      if not string.find(text, tag, 1, true) then return false end
    end
  end
  return template == '' or call('ZSCORE', labelKey(walk.shown, 't' .. template), entry) ~= false
end

local records, bytes, last, ended = {}, 0, nil, 'go on'
for _ = 1, budget do
  local best, entry
  for _, walk in ipairs(walks) do
    local candidate = head(walk)
    if candidate and (not entry or comesFirst(candidate, entry)) then best, entry = walk, candidate end
  end
  if not entry then
    ended = 'end'
    break
  end
  local id = string.sub(entry, 17)
  if matches(best, entry, id) then
    if #records == wanted then
      ended = 'more'
      break
    end
    local record = read(id)
    records[#records + 1] = record
    bytes = bytes + #record[1] + #record[2]
  end
  last = entry
  best.next = best.next + 1
  -- Large records end a step early, so that none takes long.
  if bytes > 524288 then break end
end
local start = last and digits(9007199254740991 - tonumber(string.sub(last, 1, 16))) or ''
return {'ok', ended, start, last and string.sub(last, 17) or '', records}
`,
);

/**
 * One bounded step of a count. ARGV: 1 how many entries to look at, 2 the entry after which to go on or ''; then each tag
 * as above. Answers {'ok', count, entry after which to go on or ''}.
 */
export const countRunning = readingScript(
  "countRunning",
  base,
  listing,
  choosing,
  `
if call('EXISTS', KEYS[1]) == 0 then return {'noteam'} end
local labels, tags = {}, {}
for i = 3, #ARGV do
  labels[#labels + 1] = 'm' .. ARGV[i]
  tags[#tags + 1] = '\\n' .. ARGV[i] .. '\\n'
end
if #labels == 0 then return {'ok', call('ZCARD', P .. 'l:r'), ''} end
if #labels == 1 then return {'ok', call('ZCARD', labelKey('r', labels[1])), ''} end

local budget = tonumber(ARGV[1])
local from = ARGV[2] ~= '' and '(' .. ARGV[2] or '-'
local entries = call('ZRANGEBYLEX', (rarest('r', labels)), from, '+', 'LIMIT', 0, budget)
local count = 0
for _, entry in ipairs(entries) do
  local text, all = call('GET', P .. 's:' .. string.sub(entry, 17)), true
  for _, tag in ipairs(tags) do all = all and string.find(text, tag, 1, true) end
  if all then count = count + 1 end
end
return {'ok', count, #entries == budget and entries[#entries] or ''}
`,
);
