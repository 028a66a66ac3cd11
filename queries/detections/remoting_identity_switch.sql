-- ---
-- id = "remoting_identity_switch"
-- title = "Remoting session that runs as another account"
-- level = "informational"
-- other_levels = ["medium"]  # an endpoint was registered on this computer within the case
-- attack = ["T1078"]
-- description = """A session's commands ran as another account than the one that came: an endpoint with RunAs credentials, or a virtual account
-- (JEA). That is what such endpoints are for; an endpoint nobody knows is a way to more rights."""
-- false_positives = ["JEA and RunAs endpoints in daily use"]
-- references = ["https://learn.microsoft.com/powershell/scripting/security/remoting/jea/overview"]
-- requires = [{channel = "Microsoft-Windows-WinRM/Operational", event_id = [193]},
--     {channel = "Microsoft-Windows-PowerShell/Operational", event_id = [4103]},
--     {channel = "Security", event_id = [4624]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Events of one kind this close together are one finding"
-- ---
WITH switch AS (
    SELECT event_key, event_time, host, computer, user_name AS from_user, NULL AS to_user FROM winrm WHERE kind = 'runs as virtual account'
    UNION ALL
    SELECT event_key, event_time, host, computer, connected_user, user_name FROM module_log
    WHERE known(connected_user) IS NOT NULL AND lower(connected_user) <> lower(user_name)
    UNION ALL
    SELECT event_key, event_time, host, computer, NULL, account(user_domain, user_name) FROM logon
    -- S-1-5-94 are WinRM's; 90, 96 and 111 are the window manager's, the font driver's and sshd's.
    WHERE is_virtual_account AND user_sid LIKE 'S-1-5-94-%'
),
-- An endpoint that is older than the logs is somebody's daily tool; a new one has to be explained.
registered AS (
    SELECT computer, min(event_time) AS registered_time, arg_min(event_keys, event_key) AS registered_keys
    FROM remoting_command WHERE kind = 'endpoint' GROUP BY computer
),
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS previous FROM switch),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS island FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, arg_min(from_user, event_key) AS user_name,
    coalesce(arg_min(from_user, event_key), 'Somebody') || ' worked on ' || coalesce(computer, 'an unnamed computer') || ' as '
        || coalesce(arg_min(to_user, event_key), 'a virtual account') || ' through a remoting endpoint ' || show_span(min(event_time), max(event_time))
        || CASE WHEN min(registered_time) < min(event_time) THEN '; an endpoint was registered there at ' || show_time(min(registered_time)) ELSE '' END AS summary,
    list_sort(list_distinct(list(event_key) || coalesce(arg_min(registered_keys, event_key), []))) AS evidence,
    CASE WHEN min(registered_time) < min(event_time) THEN 'medium' END AS level
FROM numbered LEFT JOIN registered USING (computer)
GROUP BY computer, island
ORDER BY event_time, evidence
