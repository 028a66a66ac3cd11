-- ---
-- id = "security_log_cleared"
-- title = "Event log cleared"
-- level = "high"
-- attack = ["T1070.001"]
-- description = """Somebody cleared the Security log (1102) or another one (104), or ran a command that clears logs. What a
-- log held is gone from it; look for archives, forwarded copies and other hosts' logs of the same time."""
-- false_positives = ["Decommissioning", "Lab exports: many sample logs begin with their author's own clearing"]
-- references = ["https://learn.microsoft.com/windows/security/threat-protection/auditing/event-1102"]
-- requires = [{channel = "Security", event_id = [1102, 4688]}, {channel = "System", event_id = [104]},
--     {channel = "Microsoft-Windows-Sysmon/Operational", event_id = [1]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 2
-- description = "Clearings this close together are one finding"
-- ---
-- 2 minutes: a loop over all logs (wevtutil el) takes seconds; two clearings hours apart are two stories.
WITH clearing AS (
    SELECT event_key, event_time, host, computer, cleared_channel, backup_path,
        coalesce(account(user_domain, user_name), subject_user_sid) AS cleared_by, NULL AS command
    FROM log_cleared
    UNION ALL
    SELECT event_key, event_time, host, computer, NULL, NULL, account(user_domain, user_name), command_line
    FROM process_start
    WHERE regexp_matches(command_line, '(?i)' || concat_ws('|',
        '\bwevtutil(\.exe)?["'']?\s+["'']?(cl|clear-log)\b', '\bwmic\b.*nteventlog.*cleareventlog',
        'powershell.*\b(clear|remove)-eventlog\b'))
    UNION ALL
    -- In a script only where it is the first command: one that mentions Clear-EventLog has run nothing yet.
    SELECT event_key, event_time, host, computer, NULL, NULL, user_name, text
    FROM command_text
    WHERE source IN ('4104', '800') AND regexp_matches(text, '(?i)^\s*(clear|remove)-eventlog\b')
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS island
    FROM (SELECT *, lag(event_time) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS previous FROM clearing)
),
incident AS (
    SELECT computer, island, min(event_time) AS event_time, any_value(host ORDER BY event_key) AS host,
        any_value(cleared_by ORDER BY cleared_channel IS NULL, event_key) AS user_name,
        list(event_key ORDER BY event_key) AS evidence,
        coalesce(list_sort(list(DISTINCT cleared_channel) FILTER (cleared_channel IS NOT NULL)), []) AS cleared_channels,
        coalesce(list_sort(list(DISTINCT command) FILTER (command IS NOT NULL)), []) AS commands,
        any_value(backup_path ORDER BY event_key) AS backup_path
    FROM numbered
    GROUP BY computer, island
)
SELECT event_time, host, computer, user_name,
    coalesce(user_name, 'An unnamed account')
        || CASE WHEN len(cleared_channels) = 0 THEN ' ran a command that clears event logs'
                ELSE ' cleared ' || counted(len(cleared_channels), 'log') || ' (' || name_list(cleared_channels, 5) || ')' END
        || ' on ' || coalesce(computer, 'an unnamed computer') || ' at ' || show_time(event_time)
        || CASE WHEN len(commands) > 0 THEN ': ' || name_list(commands, 2) ELSE '' END
        || CASE WHEN backup_path IS NOT NULL THEN '; a backup was written to ' || excerpt(backup_path, 100) ELSE '' END AS summary,
    evidence, cleared_channels, commands, backup_path
FROM incident
ORDER BY event_time, evidence
