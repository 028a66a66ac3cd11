-- ---
-- id = "psexec_service"
-- title = "PsExec or a relative ran commands here"
-- level = "high"
-- attack = ["T1569.002", "T1021.002"]
-- description = """Traces on the target of PsExec, PAExec, RemCom, CSExec or winexe: the service, its program on the share
-- ADMIN$, its processes, and the pipes for input and output. A renamed PsExec keeps the pipes NAME-SOURCE-PID-stdin, whose
-- middle part names the computer it came from."""
-- false_positives = ["Administrators and deployment tools that use PsExec"]
-- references = ["https://learn.microsoft.com/sysinternals/downloads/psexec"]
-- requires = [{channel = "System", event_id = [7045]}, {channel = "Security", event_id = [4697, 4688, 5145]},
--     {channel = "Microsoft-Windows-Sysmon/Operational", event_id = [1, 17, 18]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Traces on one computer this close together are one finding"
-- ---
-- 10 minutes: one use of the tool, with the commands that run under it.
WITH trace AS (
    SELECT event_key, event_time, host, computer, account(user_domain, user_name) AS user_name, NULL AS ip, NULL AS pipe,
        'service ' || service_name AS text
    FROM service_install
    WHERE is_psexec_name(service_name) OR is_psexec_name(file_name(split_part(image_path, '.exe', 1) || '.exe'))
    UNION ALL
    SELECT event_key, event_time, host, computer, user_name, ip, pipe, 'pipe ' || pipe
    FROM named_pipe
    WHERE is_psexec_name(pipe) OR regexp_matches(pipe, '(?i)-\d+-(stdin|stdout|stderr)$')
    UNION ALL
    SELECT event_key, event_time, host, computer, user_name, ip, NULL, 'file ' || path || ' on ' || share
    FROM share_access
    WHERE is_psexec_name(file_name(path)) AND share <> 'IPC$'
    UNION ALL
    SELECT event_key, event_time, host, computer, account(user_domain, user_name), NULL, NULL,
        CASE WHEN is_psexec_name(program) THEN 'process ' ELSE 'command ' END || coalesce(command_line, image)
    FROM process_start
    WHERE is_psexec_name(program) OR is_psexec_name(parent_program)
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS island
    FROM (SELECT *, lag(event_time) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS previous FROM trace)
),
run AS (
    SELECT computer, island, any_value(host ORDER BY event_key) AS host, min(event_time) AS event_time, max(event_time) AS last_time,
        any_value(user_name ORDER BY event_key) FILTER (NOT is_machine_account(account_user(user_name))) AS user_name,
        any_value(ip ORDER BY event_key) AS ip,
        max(nullif(regexp_extract(pipe, '(?i)-([^-]+(?:-[^-]+)*)-\d+-std(in|out|err)$', 1), '')) AS source_computer,
        list(text) AS traces, list(event_key ORDER BY event_key) AS evidence
    FROM numbered
    GROUP BY computer, island
)
SELECT event_time, host, computer, user_name,
    'A PsExec-like tool ran on ' || coalesce(computer, 'an unnamed computer') || coalesce(' by ' || user_name, '')
        || coalesce(' from ' || nullif(concat_ws(', ', source_computer, ip), ''), '') || ' '
        || show_span(event_time, last_time) || ': ' || name_list(traces, 6) AS summary,
    evidence, source_computer, ip, list_sort(list_distinct(traces)) AS traces, last_time
FROM run
ORDER BY event_time, evidence
