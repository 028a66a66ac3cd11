-- ---
-- id = "remoting_failure_burst"
-- title = "Remoting refused again and again"
-- level = "low"
-- other_levels = ["medium"]  # and then it worked
-- attack = ["T1021.006", "T1110"]
-- description = """One user's attempts at PowerShell Remoting or winrs failed in a row: at the client (WinRM 142 of CreateShell, 161, 162, 164;
-- PowerShell 32784) or at the server (192, not authorized). If the user got in right after, that is told."""
-- false_positives = ["Wrong TrustedHosts, computers that are off, scripts with an old password"]
-- references = ["https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_remote_troubleshooting"]
-- requires = [{channel = "Microsoft-Windows-WinRM/Operational", event_id = [142, 161, 162, 164, 192]},
--     {channel = "Microsoft-Windows-PowerShell/Operational", event_id = [32784]}]
-- [params.min_failures]
-- type = "integer"
-- default = 5
-- description = "Failures within the window; a person tries twice or three times"
-- [params.window_minutes]
-- type = "integer"
-- default = 10
-- description = "Failures this close together are one series, and a success so long after belongs to it"
-- ---
-- The service itself (S-1-5-18) fails at its own listener every few hours. One failure leaves 142, 161 and 32784 with one activity id or
-- within a second: it counts once.
WITH failure AS (
    SELECT event_key, event_time, host, computer, user_sid, coalesce(activity_id, event_key::VARCHAR) AS attempt, coalesce(kind || ' (' || excerpt(error, 80) || ')', kind) AS why
    FROM winrm
    WHERE event_id IN (161, 162, 164, 192) OR (event_id = 142 AND operation = 'CreateShell')
    UNION ALL
    SELECT event_key, event_time, host, computer, user_sid, coalesce(activity_id, event_key::VARCHAR), excerpt(event_data->>'ErrorMessage', 80)
    FROM rare_event WHERE event_id = 32784 AND channel = 'Microsoft-Windows-PowerShell/Operational'
),
stepped AS (
    SELECT *, lag(event_time) OVER (PARTITION BY computer, user_sid ORDER BY event_time, event_key) AS previous
    FROM failure WHERE coalesce(user_sid, '') NOT IN ('S-1-5-18', 'S-1-5-19', 'S-1-5-20')
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $window_minutes)) OVER (PARTITION BY computer, user_sid ORDER BY event_time, event_key) AS island,
        sum((previous IS NULL OR event_time - previous > INTERVAL 1 SECOND)::INTEGER) OVER (PARTITION BY computer, user_sid ORDER BY event_time, event_key) AS moment
    FROM stepped
),
series AS (
    SELECT computer, user_sid, island, arg_min(host, event_key) AS host, min(event_time) AS event_time, max(event_time) AS last_time, list(why) AS reasons,
        least(count(DISTINCT attempt), count(DISTINCT moment)) AS failures, list(event_key) AS failure_keys
    FROM numbered GROUP BY computer, user_sid, island
),
-- 31 is the client's "session created", 91 the server's shell: both are written as the user.
success AS (
    SELECT series.computer, series.user_sid, series.island, min(winrm.event_time) AS success_time, list(winrm.event_key) AS success_keys
    FROM series JOIN winrm ON winrm.event_id IN (31, 91) AND winrm.computer = series.computer AND winrm.user_sid = series.user_sid
        AND winrm.event_time BETWEEN last_time AND last_time + to_minutes($window_minutes)
    GROUP BY ALL
)
SELECT event_time, host, computer, user_sid AS user_name,
    coalesce(user_sid, 'Somebody') || ' failed ' || counted(failures, 'time') || ' at remoting on ' || coalesce(computer, 'an unnamed computer') || ' '
        || show_span(event_time, last_time) || ': ' || name_list(reasons, 3) || CASE WHEN success_time IS NOT NULL THEN '; then it worked at ' || show_time(success_time) ELSE '' END AS summary,
    list_sort(failure_keys || coalesce(success_keys, [])) AS evidence, failures, CASE WHEN success_time IS NOT NULL THEN 'medium' END AS level
FROM series LEFT JOIN success USING (computer, user_sid, island)
WHERE failures >= $min_failures
ORDER BY event_time, evidence
