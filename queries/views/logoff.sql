-- ---
-- id = "logoff"
-- title = "Logoffs"
-- description = """One row a Security 4634 (logon session destroyed) or 4647 (a user logs off by hand)."""
-- ---
-- 4634 of a network logon comes seconds after each request while the remoting shell lives on: no measure of a session.
-- 4647 is interactive only and has no LogonType.
SELECT
    event_key, event_time, host, computer, event_id,
    target_user_name AS user_name,
    target_domain_name AS user_domain,
    coalesce(target_user_sid, event_data->>'TargetSid') AS user_sid,
    target_logon_id AS logon_id,
    logon_type,
    event_id = 4647 AS is_user_initiated
FROM counted_event
WHERE event_id IN (4634, 4647) AND provider = 'Microsoft-Windows-Security-Auditing'
