-- ---
-- id = "remoting_process"
-- title = "Host processes of remoting"
-- description = """One row a wsmprovhost.exe (PowerShell Remoting) or winrshost.exe (winrs): WinRM gives each shell a process of
-- its own, which runs as its user. 4688 and Sysmon 1 of one start are one row. A process known only by its children has no
-- start_time."""
-- [columns]
-- process_number = "in the order of time; an id within this case"
-- computer = "where, lower case"
-- program = "wsmprovhost.exe or winrshost.exe"
-- process_id = "used again after its end"
-- process_guid = "Sysmon's; NULL: no Sysmon"
-- logon_id = "what it runs with; from its children where 4688 does not say (before Windows 10)"
-- user_name = "what it runs as"
-- user_domain = "of user_name"
-- start_time = "NULL: only its children are known"
-- end_time = "4689 or Sysmon 5; NULL: not seen"
-- until_time = "end_time, else the next start with this process id, else the end of time"
-- first_child_time = "start of its first child; NULL: none"
-- start_keys = "4688, Sysmon 1"
-- end_keys = "4689, Sysmon 5"
-- child_keys = "4688 and Sysmon 1 of its direct children"
-- child_processes = "how many these are"
-- ---
-- A 4688 before version 2 names the creator only (svchost.exe, 0x3e7): logon and user are NULL then.
WITH start AS (
    SELECT event_key, event_time, lower(computer) AS computer, program, process_id, process_guid,
        nullif(logon_id, 999) AS logon_id,
        CASE WHEN logon_id <> 999 THEN user_name END AS user_name, CASE WHEN logon_id <> 999 THEN user_domain END AS user_domain
    FROM process_start WHERE program IN ('wsmprovhost.exe', 'winrshost.exe')
),
stepped AS (
    SELECT *, event_time - lag(event_time) OVER twin <= INTERVAL 2 SECOND AS is_same
    FROM start WINDOW twin AS (PARTITION BY computer, process_id ORDER BY event_time, event_key)
),
numbered AS (
    SELECT *, sum(CASE WHEN is_same THEN 0 ELSE 1 END) OVER (PARTITION BY computer, process_id ORDER BY event_time, event_key) AS use
    FROM stepped
),
instance AS (
    SELECT computer, process_id, use, arg_min(program, event_key) AS program,
        arg_min(process_guid, event_key) AS process_guid, arg_min(logon_id, event_key) AS logon_id,
        arg_min(user_name, event_key) AS user_name, arg_min(user_domain, event_key) AS user_domain,
        min(event_time) AS start_time, list_sort(list(event_key)) AS start_keys
    FROM numbered GROUP BY computer, process_id, use
),
bounded AS (
    SELECT *, lead(start_time) OVER (PARTITION BY computer, process_id ORDER BY use) AS next_start FROM instance
),
stop AS (
    SELECT event_key, event_time, lower(computer) AS computer, process_id FROM process_end
),
ended AS (
    SELECT bounded.computer, bounded.process_id, bounded.use, min(event_time) AS end_time, list_sort(list(event_key)) AS end_keys
    FROM bounded JOIN stop ON stop.computer = bounded.computer AND stop.process_id = bounded.process_id
        AND stop.event_time >= bounded.start_time AND stop.event_time < coalesce(bounded.next_start, TIMESTAMP '9999-01-01')
    GROUP BY ALL
),
child AS (
    SELECT event_key, event_time, lower(computer) AS computer, process_id, parent_process_id, parent_process_guid,
        parent_program, logon_id, user_name, user_domain
    FROM remoting_child
),
child_of AS (
    SELECT child.*, bounded.use
    FROM child LEFT JOIN bounded ON bounded.computer = child.computer AND bounded.process_id = child.parent_process_id
        AND child.event_time >= bounded.start_time AND child.event_time < coalesce(bounded.next_start, TIMESTAMP '9999-01-01')
),
children AS (
    SELECT computer, parent_process_id AS process_id, use, min(event_time) AS first_child_time,
        list_sort(list(event_key)) AS child_keys, count(DISTINCT child_of.process_id) AS child_processes,
        arg_min(logon_id, event_key) AS logon_id, arg_min(user_name, event_key) AS user_name,
        arg_min(user_domain, event_key) AS user_domain,
        arg_min(parent_program, event_key) AS program, arg_min(parent_process_guid, event_key) AS process_guid
    FROM child_of GROUP BY computer, parent_process_id, use
),
everything AS (
    SELECT bounded.computer, bounded.program, bounded.process_id, bounded.process_guid,
        coalesce(bounded.logon_id, children.logon_id) AS logon_id,
        coalesce(bounded.user_name, children.user_name) AS user_name,
        coalesce(bounded.user_domain, children.user_domain) AS user_domain,
        bounded.start_time, ended.end_time,
        coalesce(ended.end_time, bounded.next_start, TIMESTAMP '9999-01-01') AS until_time,
        children.first_child_time, start_keys, coalesce(end_keys, []) AS end_keys, coalesce(child_keys, []) AS child_keys, coalesce(child_processes, 0) AS child_processes
    FROM bounded
    LEFT JOIN ended USING (computer, process_id, use)
    LEFT JOIN children USING (computer, process_id, use)
    UNION ALL
    SELECT computer, program, process_id, process_guid, logon_id, user_name, user_domain, NULL, NULL,
        TIMESTAMP '9999-01-01', first_child_time, [], [], child_keys, child_processes
    FROM children WHERE use IS NULL
)
SELECT row_number() OVER (ORDER BY coalesce(start_time, first_child_time), computer, process_id) AS process_number, *
FROM everything
ORDER BY process_number
