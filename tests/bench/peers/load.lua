-- What wrk sends: JSON POSTs with an Idempotency-Key, of 512 bytes, or of 1 MiB for upload-1m.
-- Arguments: dup (a thousand keys again and again) or another kind (every key is new), a seed that
-- makes the keys of this run its own, and the path.
local kind, prefix, head, tail
local sent = 0

local body = '{"tenant":"acme-corp","operation":"dispatch","amount":1299,"currency":"EUR",' ..
  '"order_id":"ord_7f3a9b2c","customer":{"id":"cus_1029384756","email":"someone@example.com"},' ..
  '"items":[{"sku":"A-100","qty":2,"price":499},{"sku":"B-200","qty":1,"price":301}],' ..
  '"metadata":{"source":"web","campaign":"fall-2026","pad":"'
body = body .. string.rep("p", 512 - #body - 3) .. '"}}'

function init(arguments)
  kind = arguments[1]
  if kind == "upload-1m" then
    body = string.rep("p", 1024 * 1024)
  end
  head = "POST " .. arguments[3] .. " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: wrk\r\nAccept: */*\r\n" ..
    "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n" ..
    "Idempotency-Key: " .. arguments[2] .. "-0000-4000-8000-"
  tail = "\r\n\r\n" .. body
end

local format = string.format
function request()
  if kind == "dup" then
    sent = (sent + 7919) % 1000
  else
    sent = sent + 1
  end
  return head .. format("%012d", sent) .. tail
end

function done(summary, latency)
  local errors = summary.errors
  io.write(format("STAT %d %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
