-- ---
-- id = "powershell_downgrade"
-- title = "PowerShell 2.0 started beside a newer one"
-- level = "high"
-- attack = ["T1562.010"]
-- description = """An engine of version 2 (or a command line that asks for it) on a computer that has a newer one. Version 2 writes no script
-- blocks and knows no AMSI: what it ran is not logged."""
-- false_positives = ["Very old scripts with -Version 2; on Windows 7 version 2 is the only one and not reported"]
-- references = ["https://learn.microsoft.com/powershell/scripting/windows-powershell/starting-the-windows-powershell-2.0-engine"]
-- requires = [{channel = "Windows PowerShell", event_id = [400]},
--     {channel = "Security", event_id = [4688]},
--     {channel = "Microsoft-Windows-Sysmon/Operational", event_id = [1]}]
-- ---
WITH newer AS (
    SELECT DISTINCT computer FROM powershell_engine
    WHERE TRY_CAST(split_part(coalesce(engine_version, host_version), '.', 1) AS INTEGER) BETWEEN 3 AND 9
    UNION
    SELECT DISTINCT computer FROM counted_event WHERE event_id IN (4103, 4104) AND channel = 'Microsoft-Windows-PowerShell/Operational'
),
old AS (
    SELECT event_key, event_time, host, computer, NULL AS user_name, coalesce(host_application, host_name) AS command, '400' AS source
    FROM powershell_engine WHERE event_id = 400 AND engine_version LIKE '2.%' AND computer IN (SELECT computer FROM newer)
    UNION ALL
    -- Any beginning of -Version will do for PowerShell.
    SELECT event_key, event_time, host, computer, account(user_domain, user_name), command_line, source
    FROM process_start WHERE program = 'powershell.exe' AND regexp_matches(command_line, '(?i)\s[-/–]v(e(r(s(i(on?)?)?)?)?)?\s+["'']?2(\.0)?\b')
),
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS previous FROM old),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, 1)) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS island FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, arg_min(user_name, event_key) AS user_name,
    coalesce(arg_min(user_name, event_key), 'Somebody') || ' started PowerShell 2.0 on ' || coalesce(computer, 'an unnamed computer')
        || ', which logs no script blocks: ' || coalesce(excerpt(arg_min(command, event_key), 200), 'command line not logged')
        || CASE WHEN count(*) FILTER (source = '400') = 0 THEN ' (asked for; no engine start is in the logs)' ELSE '' END AS summary,
    list_sort(list(event_key)) AS evidence
FROM numbered GROUP BY computer, island
ORDER BY event_time, evidence
