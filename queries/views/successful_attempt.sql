-- ---
-- id = "successful_attempt"
-- title = "Successful authentications, by where they came from"
-- description = """4624 with a remote source and 4768 with success, in the shape of failed_attempt: what to look for after
-- a series of failures."""
-- ---
SELECT event_key, event_time, host, computer, event_id, user_name, lower(user_name) AS account_key, ip, workstation,
    coalesce(ip, workstation) AS source
FROM (
    SELECT *, 4624 AS event_id FROM logon
    -- Services (5) and batch jobs (4) start by themselves; type 9 checks no password.
    WHERE logon_type IN (2, 3, 7, 8, 10, 11) AND coalesce(ip, workstation) IS NOT NULL
)
WHERE NOT is_machine_account(user_name)
UNION ALL
SELECT event_key, event_time, host, computer, event_id, user_name, lower(user_name), ip, NULL, ip
FROM kerberos_ticket
WHERE kind = 'TGT' AND is_success AND ip IS NOT NULL AND NOT is_machine_account(user_name)
