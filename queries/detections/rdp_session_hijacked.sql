-- ---
-- id = "rdp_session_hijacked"
-- title = "Remote desktop session taken over (tscon)"
-- level = "high"
-- attack = ["T1563.002"]
-- description = """tscon.exe ran as SYSTEM, or a service or task was made to run it: SYSTEM may connect to anybody's session without the password. The
-- session that was reconnected (4778) within a minute is cited."""
-- false_positives = ["Administrators who return a session to the console, as themselves: that is left out unless it runs as SYSTEM"]
-- references = ["https://attack.mitre.org/techniques/T1563/002/"]
-- requires = [{channel = "Security", event_id = [4688, 4697, 4698, 4778]},
--     {channel = "Microsoft-Windows-Sysmon/Operational", event_id = [1]}, {channel = "System", event_id = [7045]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Traces on one computer this close together are one finding"
-- ---
-- 0x3e7 (999) is SYSTEM's logon id. The console's own reconnection to a locked session runs no tscon.exe.
WITH trace AS (
    SELECT event_key, event_time, host, computer, account(user_domain, user_name) AS user_name, coalesce(command_line, image) AS what
    FROM process_start
    WHERE (program = 'tscon.exe' AND (logon_id = 999 OR upper(user_name) = 'SYSTEM')) OR (program = 'sc.exe' AND regexp_matches(command_line, '(?i)\btscon\b'))
    UNION ALL
    SELECT event_key, event_time, host, computer, account(user_domain, user_name), 'service ' || service_name || ': ' || image_path
    FROM service_install WHERE regexp_matches(image_path, '(?i)\btscon\b')
    UNION ALL
    SELECT event_key, event_time, host, computer, user_name, 'task ' || task_name || ': ' || command || coalesce(' ' || arguments, '')
    FROM scheduled_task WHERE regexp_matches(command || coalesce(' ' || arguments, ''), '(?i)\btscon\b')
),
reconnected AS (
    SELECT event_key, event_time, host, computer, account(event_data->>'AccountDomain', event_data->>'AccountName') AS user_name,
        'session ' || coalesce(event_data->>'SessionName', '?') || ' of ' || account(event_data->>'AccountDomain', event_data->>'AccountName') || ' reconnected' AS what
    FROM rare_event WHERE event_id = 4778 AND provider = 'Microsoft-Windows-Security-Auditing'
),
told AS (
    FROM trace
    UNION
    SELECT reconnected.* FROM reconnected JOIN trace ON trace.computer = reconnected.computer
        AND reconnected.event_time BETWEEN trace.event_time AND trace.event_time + INTERVAL 1 MINUTE
),
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS previous FROM told),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS island FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, arg_min(user_name, event_key) AS user_name,
    'A remote desktop session was taken over with tscon on ' || coalesce(computer, 'an unnamed computer') || ' ' || show_span(min(event_time), max(event_time)) || ': '
        || name_list(list(what), 4) AS summary,
    list_sort(list(event_key)) AS evidence
FROM numbered GROUP BY computer, island
ORDER BY event_time, evidence
