-- ---
-- id = "pass_the_hash_seclogo"
-- title = "Logon with new credentials by seclogo (pass the hash on the source)"
-- level = "high"
-- attack = ["T1550.002", "T1134.003"]
-- description = """4624 type 9 by the secondary logon service: a process got other credentials for the network while it
-- keeps its own name here. Mimikatz sekurlsa::pth and other tools work so, runas /netonly does the same with a password.
-- The outbound account is logged from Windows 10 on."""
-- false_positives = ["Administrators who use runas /netonly"]
-- references = ["https://attack.mitre.org/techniques/T1550/002/"]
-- requires = [{channel = "Security", event_id = [4624]}]
-- [params.process_minutes]
-- type = "integer"
-- default = 10
-- description = "How long after the logon its processes are cited"
-- ---
-- 10 minutes: the tool starts its process at once; what the new session does later is the session's own story.
WITH new_credentials AS (
    SELECT * FROM logon
    WHERE logon_type = 9 AND lower(logon_process) = 'seclogo' AND logon_guid IS NULL
),
trace AS (
    SELECT l.event_key AS logon_key, p.event_key, coalesce(p.command_line, p.image) AS command
    FROM new_credentials AS l
    JOIN process_start AS p ON p.computer = l.computer AND p.logon_id = l.logon_id
        AND p.event_time BETWEEN l.event_time - INTERVAL 5 SECONDS AND l.event_time + to_minutes($process_minutes)
    UNION ALL
    -- Pass the hash writes the stolen key into lsass: 32 (0x20) is PROCESS_VM_WRITE.
    SELECT l.event_key, a.event_key, a.source_program || ' wrote to lsass.exe'
    FROM new_credentials AS l
    JOIN process_access AS a ON a.computer = l.computer AND a.target_program = 'lsass.exe' AND a.granted_access & 32 <> 0
        AND a.event_time BETWEEN l.event_time - INTERVAL 1 MINUTE AND l.event_time + INTERVAL 1 MINUTE
    UNION ALL
    SELECT l.event_key, s.event_key, NULL
    FROM new_credentials AS l
    JOIN special_privilege AS s ON s.computer = l.computer AND s.logon_id = l.logon_id
        AND s.event_time BETWEEN l.event_time - INTERVAL 5 SECONDS AND l.event_time + INTERVAL 5 SECONDS
),
traces AS (
    SELECT logon_key, list(event_key) AS event_keys, list(command) FILTER (command IS NOT NULL) AS commands
    FROM trace
    GROUP BY logon_key
)
SELECT l.event_time, l.host, l.computer, account(l.user_domain, l.user_name) AS user_name,
    coalesce(account(l.user_domain, l.user_name), 'An unnamed account') || ' on ' || coalesce(l.computer, 'an unnamed computer') || ' took on the network credentials of '
        || coalesce(account(l.outbound_user_domain, l.outbound_user_name), 'another account (this Windows does not log which)')
        || ' at ' || show_time(l.event_time) || ' (logon type 9 by seclogo)'
        || coalesce('; seen with it: ' || name_list(t.commands, 3), '') AS summary,
    list_sort([l.event_key] || coalesce(t.event_keys, [])) AS evidence,
    account(l.outbound_user_domain, l.outbound_user_name) AS outbound_user, l.logon_id
FROM new_credentials AS l LEFT JOIN traces AS t ON t.logon_key = l.event_key
ORDER BY l.event_time, l.event_key
