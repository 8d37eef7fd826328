"""The Lua that counts requests in Redis, one call and one hash slot a request.

``gate`` is a hash of everything a tenant's requests are judged by:
  e   set when it was filled from PostgreSQL; gone after a flush, and then nobody passes unfilled
  f   when to look at PostgreSQL again (ms)      v, ti, r, b, q   grant: version, tier, limits
  s, st   state and its version                  d, de   local date and where it ends (s)
  ld, lf, ln   units of the day leased, left unspent, and the newest block    t   arrival time (us)
"""

ADMIT = """
local gate, closed, user, subject, memo, key = unpack(KEYS)
local issued_ms, key_rate, grant = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local function whole(number) return string.format('%.0f', number) end

local marks = redis.call('MGET', closed, user, subject, memo)
local g = redis.call('HMGET', gate, 'e', 'f', 'ti', 'r', 'b', 'q', 'st', 'd', 'de', 'ld', 'lf',
  'ln', 't')
local rebuild = 'rebuild|' .. time[1]
if not g[1] then return rebuild end
if marks[3] then return 'ended' end
if marks[2] and tonumber(marks[2]) > issued_ms then return 'reissue' end
if marks[1] or g[7] ~= 'open' then return marks[1] or g[7] end
if marks[4] then return marks[4] end
if now >= tonumber(g[9]) * 1000000 then return rebuild end

local refresh = '0'
if now / 1000 > tonumber(g[2]) then
  refresh = '1'
  redis.call('HSET', gate, 'f', whole(now / 1000 + 1000))
end

local leased, left, number = tonumber(g[10]), tonumber(g[11]), tonumber(g[12])
if grant ~= '' and ARGV[4] == g[8] and redis.call('SET', KEYS[7], '1', 'NX', 'EX', '60') then
  left = left + tonumber(ARGV[5])
  leased = math.max(leased, tonumber(ARGV[6]))
  number = math.max(number, tonumber(ARGV[7]))
  redis.call('HSET', gate, 'lf', whole(left), 'ld', whole(leased), 'ln', whole(number))
end

local function count(arrival, rate, burst)
  local interval = math.ceil(1000000 / rate)
  local after = math.max(arrival, now) + interval
  local room = burst * interval - (after - now)
  if room < 0 then return nil, -room end
  return after, math.floor(room / interval)
end

local rate, burst = tonumber(g[4]), tonumber(g[5])
local quota = g[6] ~= '' and tonumber(g[6]) or nil
local day_left = quota and math.max(0, math.min(quota, quota - leased + left)) or 0
local function answer(code, burst_left, retry, day_left)
  return table.concat({code, refresh, g[3], g[4], g[5], g[6], whole(burst_left), whole(day_left),
    whole(math.max(0, tonumber(g[9]) - math.floor(now / 1000000))), whole(retry), whole(number),
    g[8]}, '|')
end
local function refuse(code, retry, day_left)
  local text = answer(code, 0, retry, day_left)
  local life = math.max(1, math.min(5000, math.floor(retry / 1000)))
  redis.call('SET', memo, text, 'PX', whole(life))
  return text
end

local arrival, rest = count(tonumber(g[13] or '0'), rate, burst)
if not arrival then return refuse('rate_limited', rest, day_left) end
local key_arrival
if key_rate > 0 then
  key_arrival, rest = count(tonumber(redis.call('GET', key) or '0'), key_rate, key_rate)
  if not key_arrival then return refuse('rate_limited', rest, day_left) end
end
if quota then
  if leased - left >= quota then
    return refuse('quota_exhausted', tonumber(g[9]) * 1000000 - now, 0)
  end
  if left < 1 then return answer('need_lease', 0, 0, day_left) end
  redis.call('HSET', gate, 'lf', whole(left - 1))
  day_left = math.max(0, day_left - 1)
end
redis.call('HSET', gate, 't', whole(arrival))
if key_arrival then
  redis.call('SET', key, whole(key_arrival), 'PX', whole((key_arrival - now) / 1000 + 1000))
end
local text = answer('admitted', rest, 0, day_left)
redis.call('SET', memo, text, 'PX', '60000')
return text
"""

FILL = """
local gate, closed = KEYS[1], KEYS[2]
local version, tier, rate, burst, quota, state_version, state, complete, fresh_ms, day, day_ends,
  leased, number = unpack(ARGV, 1, 13)
local time = redis.call('TIME')
local now_s = tonumber(time[1])
local g = redis.call('HMGET', gate, 'v', 's', 'd', 'de')
local newer_grant = tonumber(version) > tonumber(g[1] or '-1')

if newer_grant or version == g[1] then
  redis.call('HSET', gate, 'v', version, 'ti', tier, 'r', rate, 'b', burst, 'q', quota)
end
if tonumber(state_version) >= tonumber(g[2] or '-1') then
  redis.call('HSET', gate, 's', state_version, 'st', state)
  if state == 'open' then redis.call('DEL', closed) else redis.call('SET', closed, state) end
end
for index = 3, #KEYS do
  local before = ARGV[11 + index]
  if tonumber(redis.call('GET', KEYS[index]) or '-1') < tonumber(before) then
    redis.call('SET', KEYS[index], before, 'EX', '900')
  end
end
if complete ~= '1' then
  redis.call('HDEL', gate, 'e')
  return 'filled'
end
local over = not g[4] or now_s >= tonumber(g[4])
if day ~= g[3] and (over or newer_grant or tonumber(day_ends) > tonumber(g[4])) then
  redis.call('HSET', gate, 'd', day, 'de', day_ends, 'ld', leased, 'lf', '0', 'ln', number)
end
redis.call('HSET', gate, 'e', '1', 'f',
  string.format('%.0f', tonumber(time[1]) * 1000 + tonumber(fresh_ms)))
return 'filled'
"""
