-- ---
-- id = "lsass_memory_access"
-- title = "LSASS memory read by another process"
-- level = "critical"
-- other_levels = ["medium"]  # by a program with the name of a Sysinternals viewer: check its hash
-- attack = ["T1003.001"]
-- description = """Sysmon 10: a process opened lsass.exe with the right to read its memory, where the passwords and keys of
-- logged-on users lie."""
-- false_positives = ["Antivirus and EDR (add their paths here)", "Process Explorer, Process Monitor and Task Manager in an administrator's hands"]
-- references = ["https://attack.mitre.org/techniques/T1003/001/"]
-- requires = [{channel = "Microsoft-Windows-Sysmon/Operational", event_id = [10]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Accesses of one process this close together are one finding"
-- ---
-- 16 (0x10) is PROCESS_VM_READ: 0x1010, 0x1410, 0x143a, 0x1f3fff and 0x1fffff have it, the everyday 0x1000 has not.
-- 10 minutes: tools open lsass several times in a row.
WITH access AS (
    SELECT *, lag(event_time) OVER (PARTITION BY computer, source_process_id, source_image ORDER BY event_time, event_key) AS previous
    FROM process_access
    WHERE target_program = 'lsass.exe' AND granted_access & 16 <> 0
        -- Windows' own at boot and for WMI queries, and Defender, by their full paths.
        AND NOT regexp_matches(source_image, '(?i)' || concat_ws('|',
            '^[a-z]:\\windows\\system32\\((csrss|wininit|smss|lsass|winlogon|mrt)\.exe|wbem\\wmiprvse\.exe)$',
            '^[a-z]:\\(program files|programdata\\microsoft)\\windows defender\\.*\\?msmpeng\.exe$'))
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (
        PARTITION BY computer, source_process_id, source_image ORDER BY event_time, event_key) AS island
    FROM access
)
SELECT min(event_time) AS event_time, any_value(host ORDER BY event_key) AS host, computer, any_value(source_user_name ORDER BY event_key) AS user_name,
    excerpt(source_image, 120) || coalesce(' (process ' || source_process_id || ')', '') || ' opened lsass.exe on ' || coalesce(computer, 'an unnamed computer')
        || ' with the right to read its memory (' || name_list(list(granted_access_hex), 3) || '), ' || counted(count(*), 'time') || ' '
        || show_span(min(event_time), max(event_time))
        -- Code that lies in no file: injected or reflectively loaded.
        || CASE WHEN bool_or(call_trace LIKE '%UNKNOWN(%') THEN '; called from code that is in no file' ELSE '' END AS summary,
    list(event_key ORDER BY event_key) AS evidence, source_image, source_process_id,
    list_sort(list(DISTINCT granted_access_hex)) AS granted_access,
    -- These open every process to list its modules; a dump is left by others of the same makers (procdump).
    CASE WHEN regexp_matches(file_name(source_image), '^proc(mon|exp)(64)?a?\.exe$') AND NOT bool_or(call_trace LIKE '%UNKNOWN(%') THEN 'medium' END AS level
FROM numbered
GROUP BY computer, source_process_id, source_image, island
ORDER BY min(event_time), evidence
