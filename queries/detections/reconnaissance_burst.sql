-- ---
-- id = "reconnaissance_burst"
-- title = "Reconnaissance in a row"
-- level = "medium"
-- other_levels = ["high"]  # through a remoting session
-- attack = ["T1033", "T1082", "T1016"]
-- description = """One logon ran several different programs that tell about the user, the computer and the domain within minutes: what somebody
-- does who has just arrived."""
-- false_positives = ["Helpdesk work, inventory and logon scripts"]
-- references = ["https://attack.mitre.org/tactics/TA0007/"]
-- requires = [{channel = "Security", event_id = [4688]},
--     {channel = "Microsoft-Windows-Sysmon/Operational", event_id = [1]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 5
-- description = "Programs of one logon this close together are one finding"
-- [params.min_programs]
-- type = "integer"
-- default = 4
-- description = "So many different programs at least"
-- ---
-- Four different ones in five minutes: a starting value; an administrator rarely needs more than two.
WITH asked AS (
    SELECT *, coalesce(logon_id::VARCHAR, user_name, '?') AS who, coalesce(started.parent_program IN ('wsmprovhost.exe', 'winrshost.exe')
            OR EXISTS (FROM remoting_session AS session WHERE session.target_computer = lower(started.computer) AND session.target_logon_id = started.logon_id
                AND started.event_time BETWEEN session.start_time AND coalesce(session.end_time, started.event_time)), false) AS is_remoting
    FROM process_start AS started
    WHERE is_looking_around(program, command_line)
),
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY computer, who ORDER BY event_time, event_key) AS previous FROM asked),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer, who ORDER BY event_time, event_key) AS island FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, arg_min(account(user_domain, user_name), event_key) AS user_name,
    coalesce(arg_min(account(user_domain, user_name), event_key), 'Somebody') || ' looked around on ' || coalesce(computer, 'an unnamed computer') || ' '
        || show_span(min(event_time), max(event_time)) || ' with ' || counted(count(DISTINCT program), 'program') || ': ' || name_list(list(program), 8)
        || CASE WHEN bool_or(is_remoting) THEN ', in a remoting session' ELSE '' END AS summary,
    list_sort(list(event_key)) AS evidence, list_sort(list(DISTINCT coalesce(command_line, image))) AS commands,
    CASE WHEN bool_or(is_remoting) THEN 'high' END AS level
FROM numbered GROUP BY computer, who, island
HAVING count(DISTINCT replace(program, 'net1.exe', 'net.exe')) >= $min_programs
ORDER BY event_time, evidence
