-- Sends the body in the file BODY over and over, and at the end writes a line of figures as JSON.
local file = assert(io.open(os.getenv("BODY"), "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()

done = function(summary, latency, requests)
  local errors = summary.errors
  local failures = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local answered = summary.requests - errors.status
  io.write(string.format(
    '{"requests": %.0f, "seconds": %.6f, "p50_us": %.0f, "p99_us": %.0f, "failures": %.0f}\n',
    answered, summary.duration / 1e6, latency:percentile(50), latency:percentile(99), failures))
end
