-- ---
-- id = "remoting_enabled"
-- title = "Remoting enabled or an endpoint registered"
-- level = "medium"
-- other_levels = ["informational"]  # nothing but the start of the service's listener
-- attack = ["T1021.006", "T1546"]
-- description = """Enable-PSRemoting, winrm quickconfig, or a session configuration registered or changed; a firewall rule that lets 5985 or 5986 in (2004,
-- 4946); a member added to Remote Management Users. The first time that the listener starts in the case (10148) is told with them, and as
-- a row of the timeline by itself: servers start it at each boot."""
-- false_positives = ["Build scripts and the first set-up of a computer"]
-- references = ["https://learn.microsoft.com/powershell/module/microsoft.powershell.core/enable-psremoting"]
-- requires = [{channel = "Security", event_id = [4688, 4732, 4946]}, {channel = "System", event_id = [10148]},
--     {channel = "Microsoft-Windows-Sysmon/Operational", event_id = [1]}, {channel = "Microsoft-Windows-PowerShell/Operational", event_id = [4104]},
--     {channel = "Microsoft-Windows-Windows Firewall With Advanced Security/Firewall", event_id = [2004]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Steps on one computer this close together are one finding"
-- ---
-- S-1-5-32-580 is Remote Management Users. The built-in rules are called WINRM-HTTP-In-TCP and the like.
WITH step AS (
    SELECT event_key, event_keys, event_time, host, computer, user_name, excerpt(text, 200) AS what, false AS is_listener FROM remoting_command
    UNION ALL
    SELECT event_key, [event_key], event_time, host, computer, account(user_domain, user_name), coalesce(member_name, member_sid, 'a member') || ' added to ' || coalesce(target_name, target_sid), false
    FROM account_change WHERE event_id = 4732 AND target_sid = 'S-1-5-32-580'
    UNION ALL
    SELECT event_key, [event_key], event_time, host, computer, user_sid, 'firewall rule ' || coalesce(event_data->>'RuleName', event_data->>'RuleId', '?'), false
    FROM rare_event
    WHERE event_id IN (2004, 4946) AND channel IN ('Microsoft-Windows-Windows Firewall With Advanced Security/Firewall', 'Security')
        AND (regexp_matches(event_data->>'LocalPorts', '\b598[56]\b') OR regexp_matches(coalesce(event_data->>'RuleId', ''), '(?i)^winrm-'))
    UNION ALL
    SELECT event_key, [event_key], event_time, host, computer, NULL, 'the listener started for the first time in these logs', true
    FROM rare_event WHERE event_id = 10148 AND channel = 'System' QUALIFY row_number() OVER (PARTITION BY lower(computer) ORDER BY event_time, event_key) = 1
),
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS previous FROM step),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS island FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, any_value(user_name ORDER BY event_key) AS user_name,
    CASE WHEN bool_and(is_listener) THEN 'Remoting is on at ' || coalesce(computer, 'an unnamed computer')
         ELSE coalesce(any_value(user_name ORDER BY event_key), 'Somebody') || ' opened ' || coalesce(computer, 'an unnamed computer') || ' for remoting' END
        || ' ' || show_span(min(event_time), max(event_time)) || ': ' || name_list(list(what), 4) AS summary,
    list_sort(list_distinct(flatten(list(event_keys)))) AS evidence, CASE WHEN bool_and(is_listener) THEN 'informational' END AS level
FROM numbered GROUP BY computer, island
ORDER BY event_time, evidence
