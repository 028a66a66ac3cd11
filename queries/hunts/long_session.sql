-- ---
-- id = "long_session"
-- title = "Long logon and remoting sessions"
-- description = """Remoting sessions and remote desktops that stayed open for hours, the longest first."""
-- [params.hours]
-- type = "number"
-- default = 4.0
-- description = "Only sessions of so many hours at least"
-- ---
SELECT 'remoting' AS kind, session_id AS number, account(user_domain, user_name) AS user_name, coalesce(source_computer, source_ip) AS source,
    target_computer AS computer, start_time, end_time, round(epoch(end_time - start_time) / 3600, 1) AS hours, end_reason
FROM remoting_session WHERE epoch(end_time - start_time) >= $hours * 3600
UNION ALL
SELECT 'remote desktop', NULL, account(user_domain, user_name), ip, computer, start_time, end_time, round(epoch(end_time - start_time) / 3600, 1), end_reason
FROM logon_session WHERE logon_type = 10 AND epoch(end_time - start_time) >= $hours * 3600
ORDER BY hours DESC, start_time, computer
