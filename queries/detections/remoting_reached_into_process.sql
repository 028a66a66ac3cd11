-- ---
-- id = "remoting_reached_into_process"
-- title = "Remoting session reached into LSASS or another process"
-- level = "critical"
-- attack = ["T1003.001", "T1055"]
-- description = """The host process of a remoting session (wsmprovhost.exe, winrshost.exe) opened lsass.exe (Sysmon 10) or put a thread into another
-- process (Sysmon 8), or some other program put one into it: credentials are stolen, or code is moved, through remoting."""
-- false_positives = ["None known; security agents are not run by remoting"]
-- references = ["https://attack.mitre.org/techniques/T1003/001/", "https://attack.mitre.org/techniques/T1055/"]
-- requires = [{channel = "Microsoft-Windows-Sysmon/Operational", event_id = [8, 10]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Accesses of one process this close together are one finding"
-- ---
-- 0x10 reads memory, 0x20 writes it, 0x2 makes threads, 0x40 duplicates handles; 0x1000 and 0x400 only ask for names and times.
-- Csrss puts a thread into every console program when it is stopped.
WITH access AS (
    SELECT event_key, event_time, host, computer, source_process_id AS source_id, source_image, target_image,
        'opened it with rights ' || granted_access_hex AS what, source_user_name AS user_name
    FROM process_access
    WHERE source_program IN ('wsmprovhost.exe', 'winrshost.exe') AND target_program = 'lsass.exe' AND granted_access & 114 <> 0
    UNION ALL
    SELECT event_key, event_time, host, computer, as_integer(event_data->>'SourceProcessId'), source_image, target_image,
        'put a thread into it' || coalesce(' (' || known(event_data->>'StartFunction') || ')', ''), account_user(event_data->>'SourceUser')
    FROM rare_event
    WHERE event_id = 8 AND provider = 'Microsoft-Windows-Sysmon'
        AND (file_name(source_image) IN ('wsmprovhost.exe', 'winrshost.exe') OR file_name(target_image) IN ('wsmprovhost.exe', 'winrshost.exe'))
        AND NOT regexp_matches(source_image, '(?i)^[a-z]:\\windows\\system32\\csrss\.exe$')
),
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY computer, source_id, source_image, target_image ORDER BY event_time, event_key) AS previous FROM access),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (
        PARTITION BY computer, source_id, source_image, target_image ORDER BY event_time, event_key) AS island
    FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, arg_min(user_name, event_key) AS user_name,
    excerpt(source_image, 100) || coalesce(' (process ' || source_id || ')', '') || ' reached into ' || excerpt(target_image, 100) || ' on '
        || coalesce(computer, 'an unnamed computer') || ' ' || show_span(min(event_time), max(event_time)) || ': ' || name_list(list(what), 3) AS summary,
    list_sort(list(event_key)) AS evidence, source_image, target_image
FROM numbered GROUP BY computer, source_id, source_image, target_image, island
ORDER BY event_time, evidence
