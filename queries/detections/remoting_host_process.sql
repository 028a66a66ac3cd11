-- ---
-- id = "remoting_host_process"
-- title = "Host process of a remoting session"
-- level = "informational"
-- other_levels = ["high"]  # not as Windows starts it
-- attack = ["T1021.006", "T1036.005"]
-- description = """wsmprovhost.exe or winrshost.exe was started: one process for each remoting session, by svchost.exe (DcomLaunch), from the
-- system folder, with -Embedding. A start in any other way is somebody who uses the name, or starts it by hand: that is high. Row
-- "process tree" of FireEye's 2014 paper."""
-- false_positives = ["Every remoting session is a row of the timeline; none known for the odd ones"]
-- references = ["https://learn.microsoft.com/powershell/scripting/security/remoting/winrm-security"]
-- requires = [{channel = "Security", event_id = [4688]}, {channel = "Microsoft-Windows-Sysmon/Operational", event_id = [1]}]
-- ---
-- The parent is logged by Sysmon and from Windows 10 1607 on, the command line by policy: what is not logged is not held against it.
-- DcomLaunch reads "svchost.exe -k DcomLaunch", in newer builds with -p and -s behind it.
WITH started AS (
    SELECT *, list_filter([
            CASE WHEN parent_program <> 'svchost.exe' THEN 'its parent is ' || excerpt(parent_image, 100) END,
            CASE WHEN parent_program = 'svchost.exe' AND NOT regexp_matches(parent_command_line, '(?i)-k\s+dcomlaunch')
                THEN 'its parent is another service host: ' || excerpt(parent_command_line, 100) END,
            CASE WHEN NOT regexp_matches(image, '(?i)^([a-z]:|\\device\\harddiskvolume\d+)\\windows\\(system32|syswow64)\\[^\\]*$') THEN 'it lies in ' || excerpt(image, 100) END,
            CASE WHEN NOT regexp_matches(command_line, '(?i)\s[-/]embedding\b') THEN 'its command line is ' || excerpt(command_line, 100) END
        ], lambda oddity: oddity IS NOT NULL) AS oddities
    FROM process_start WHERE program IN ('wsmprovhost.exe', 'winrshost.exe')
),
-- 4688 and Sysmon 1 of one start have one process id and a second or so between them.
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY computer, process_id ORDER BY event_time, event_key) AS previous FROM started),
numbered AS (
    SELECT *, sum((previous IS NULL OR event_time - previous > INTERVAL 5 SECOND)::INTEGER) OVER (
        PARTITION BY computer, process_id ORDER BY event_time, event_key) AS island
    FROM stepped
),
process AS (
    SELECT computer, process_id, arg_min(host, event_key) AS host, min(event_time) AS event_time, arg_min(program, event_key) AS program,
        arg_min(account(user_domain, user_name), event_key) AS user_name, list_sort(list_distinct(flatten(list(oddities)))) AS oddities,
        list_sort(list(event_key)) AS evidence
    FROM numbered GROUP BY computer, process_id, island
)
SELECT event_time, host, computer, user_name,
    program || coalesce(' (process ' || process_id || ')', '') || ' started on ' || coalesce(computer, 'an unnamed computer') || coalesce(' as ' || user_name, '')
        || CASE WHEN len(oddities) > 0 THEN ', not as Windows does it: ' || array_to_string(oddities, '; ') ELSE ': a remoting session' END AS summary,
    evidence, process_id, oddities, CASE WHEN len(oddities) > 0 THEN 'high' END AS level
FROM process
ORDER BY event_time, evidence
