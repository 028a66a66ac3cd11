-- ---
-- id = "host_activity"
-- title = "Everything about a computer or an address"
-- description = """What was logged on a computer, and what other computers logged that came from it or its address."""
-- [params.host]
-- type = "string"
-- default = "127.0.0.1"
-- description = "Computer name, short or long, or IP address"
-- ---
SELECT event_time, computer, kind, user_name, ip, logon_id, text, event_key
FROM activity
-- A name without dots is compared with the first part, so that SRV02 finds SRV02.example.test; an address is never cut.
WHERE ip = clean_ip($host) OR lower(computer) = lower($host) OR (NOT contains($host, '.') AND short_host(computer) = lower($host))
ORDER BY event_time, event_key
