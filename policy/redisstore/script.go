package redisstore

import "github.com/redis/go-redis/v9"

// commitScript is the whole of a commit. Every answer repeats the idempotency key, so that it can not be another's.
//
// KEYS 1 log, 2 head, 3 tenants, 4 idem, 5 lease, 6 chains, 7 roots, 8 buckets, 9 pieces, 10 ckpts,
// 11 staged tenants, 12 staged buckets, 13... pieces of a large import.
//
// ARGV 1 ns, 2 expected epoch ("" for init), 3 expected rev, 4 expected chain, 5 epoch, 6 rev, 7 chain, 8 root, 9 halt,
// 10 globals ("" unchanged), 11 record, 12 "1" for kind auto, 13 fence, 14 idempotency key, 15 pieces ("" none),
// 16 all bucket hashes ("" only those listed), 17 number of tenants, then id and record ("" removes), then number of
// buckets, then number, content, hash.
var commitScript = redis.NewScript(`
local key = ARGV[14]
local seen = redis.call('GET', KEYS[4])
if seen then return {'seen', key, seen} end
local h = redis.call('HMGET', KEYS[2], 'epoch', 'rev', 'chain')
if ARGV[2] == '' then
  if h[1] then return {'exists', key, h[2]} end
else
  if not h[1] then return {'nopolicy', key, ''} end
  if h[1] ~= ARGV[2] then return {'forked', key, h[1]} end
  if h[2] ~= ARGV[3] or h[3] ~= ARGV[4] then return {'moved', key, h[2]} end
end
if ARGV[12] == '1' then
  local fence = redis.call('HGET', KEYS[5], 'fence') or '0'
  if fence ~= ARGV[13] then return {'fenced', key, fence} end
end
local staged = ARGV[15] ~= ''
if staged and redis.call('EXISTS', KEYS[11]) == 0 then return {'unstaged', key, ''} end
if not staged then
  redis.call('XADD', KEYS[1], ARGV[6] .. '-0', 'c', ARGV[11])
else
  for i = 13, #KEYS do
    if redis.call('PERSIST', KEYS[i]) == 0 then return {'unstaged', key, KEYS[i]} end
  end
  redis.call('XADD', KEYS[1], ARGV[6] .. '-0', 'c', ARGV[11], 'p', ARGV[15])
  redis.call('HSET', KEYS[9], ARGV[6], ARGV[15])
end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[3], KEYS[6], KEYS[7], KEYS[8], KEYS[10])
end
if staged then
  redis.call('RENAME', KEYS[11], KEYS[3])
  redis.call('RENAME', KEYS[12], KEYS[8])
  redis.call('PERSIST', KEYS[3])
  redis.call('PERSIST', KEYS[8])
end
if ARGV[16] ~= '' then redis.call('SET', KEYS[7], ARGV[16]) end
local at = 18
for i = 1, tonumber(ARGV[17]) do
  if ARGV[at + 1] == '' then
    redis.call('HDEL', KEYS[3], ARGV[at])
  else
    redis.call('HSET', KEYS[3], ARGV[at], ARGV[at + 1])
  end
  at = at + 2
end
local n = tonumber(ARGV[at])
at = at + 1
for i = 1, n do
  redis.call('HSET', KEYS[8], ARGV[at], ARGV[at + 1])
  redis.call('SETRANGE', KEYS[7], tonumber(ARGV[at]) * 32, ARGV[at + 2])
  at = at + 3
end
redis.call('HSET', KEYS[6], ARGV[6], ARGV[7])
redis.call('SET', KEYS[4], ARGV[6] .. ' ' .. ARGV[7], 'EX', 86400)
if ARGV[10] ~= '' then redis.call('HSET', KEYS[2], 'globals', ARGV[10]) end
redis.call('HSET', KEYS[2], 'ns', ARGV[1], 'epoch', ARGV[5], 'rev', ARGV[6], 'chain', ARGV[7], 'root', ARGV[8], 'halt', ARGV[9])
return {'ok', key, ARGV[6]}
`)

// resyncScript re-seeds an empty or regressed store. XADD refuses a rev that the log has passed, also with no head.
//
// KEYS 1 log, 2 head, 3 tenants, 4 idem, 5 chains, 6 roots, 7 buckets, 8 ckpts, 9 staged tenants, 10 staged buckets.
// ARGV 1 ns, 2 epoch, 3 rev, 4 chain, 5 root, 6 halt, 7 globals, 8 record, 9 idempotency key, 10 all bucket hashes,
// 11 checkpoint, 12 and 13 rev and chain of the edge.
var resyncScript = redis.NewScript(`
local key = ARGV[9]
local seen = redis.call('GET', KEYS[4])
if seen then return {'seen', key, seen} end
local h = redis.call('HMGET', KEYS[2], 'epoch', 'rev')
if h[1] and h[1] ~= ARGV[2] then return {'forked', key, h[1]} end
if h[2] and tonumber(h[2]) >= tonumber(ARGV[3]) then return {'used', key, h[2]} end
redis.call('XADD', KEYS[1], ARGV[3] .. '-0', 'c', ARGV[8])
redis.call('DEL', KEYS[3], KEYS[5], KEYS[7])
if redis.call('EXISTS', KEYS[9]) == 1 then
  redis.call('RENAME', KEYS[9], KEYS[3])
  redis.call('PERSIST', KEYS[3])
end
redis.call('RENAME', KEYS[10], KEYS[7])
redis.call('PERSIST', KEYS[7])
redis.call('SET', KEYS[6], ARGV[10])
redis.call('HSET', KEYS[5], ARGV[12], ARGV[13], ARGV[3], ARGV[4])
redis.call('HSET', KEYS[8], ARGV[3], ARGV[11])
redis.call('SET', KEYS[4], ARGV[3] .. ' ' .. ARGV[4], 'EX', 86400)
redis.call('HSET', KEYS[2], 'ns', ARGV[1], 'epoch', ARGV[2], 'rev', ARGV[3], 'chain', ARGV[4], 'root', ARGV[5], 'halt', ARGV[6], 'globals', ARGV[7])
return {'ok', key, ARGV[3]}
`)

// reportScript: KEYS 1 nodes; ARGV 1 edge, 2 state, 3 most edges. 0: the roster is full.
var reportScript = redis.NewScript(`
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
local t = redis.call('TIME')
local ms = string.format('%.0f', tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000))
redis.call('HSET', KEYS[1], ARGV[1], ms .. ' ' .. ARGV[2])
return 1
`)

// leaseScript: KEYS 1 lease; ARGV 1 holder, 2 milliseconds. Returns the fence, 0 while another holds it.
var leaseScript = redis.NewScript(`
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
local l = redis.call('HMGET', KEYS[1], 'holder', 'until', 'fence')
local fence = tonumber(l[3] or '0')
local live = l[2] and tonumber(l[2]) > now
if live and l[1] ~= ARGV[1] then return 0 end
if not live or l[1] ~= ARGV[1] then fence = fence + 1 end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'until', string.format('%.0f', now + tonumber(ARGV[2])), 'fence', string.format('%.0f', fence))
return fence
`)

// unlockScript gives a lock back only if it is still ours. KEYS 1 lock; ARGV 1 owner.
var unlockScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`)
