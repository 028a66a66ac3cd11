-- ---
-- id = "remoting_child_process"
-- title = "Program started through PowerShell Remoting or winrs"
-- level = "medium"
-- other_levels = ["high"]  # programs that serve intruders, or several that look around
-- attack = ["T1021.006", "T1059"]
-- description = """Child processes of wsmprovhost.exe (PowerShell Remoting) or winrshost.exe (winrs): native programs that
-- somebody ran on this computer from another one. Cmdlets run inside wsmprovhost and leave no process: see script_block."""
-- false_positives = ["Ansible, Desired State Configuration and other management by WinRM"]
-- references = ["https://attack.mitre.org/techniques/T1021/006/"]
-- requires = [{channel = "Security", event_id = [4688]}, {channel = "Microsoft-Windows-Sysmon/Operational", event_id = [1]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 5
-- description = "Programs of one host process this close together are one finding"
-- [params.min_looking]
-- type = "integer"
-- default = 3
-- description = "So many different programs that look around make a finding high"
-- ---
-- 5 minutes: one bout of work. A session may stay open for days, and its second bout must not drown in the first. 3: whoami
-- and hostname are everybody's first commands.
WITH child AS (
    SELECT *, lag(event_time) OVER (PARTITION BY computer, parent_process_id ORDER BY event_time, event_key) AS previous
    FROM remoting_child
    -- The console window that every console program gets, and the crash reporter.
    WHERE program NOT IN ('conhost.exe', 'werfault.exe')
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (
        PARTITION BY computer, parent_process_id ORDER BY event_time, event_key) AS island
    FROM child
),
bout AS (
    SELECT computer, parent_process_id, island, any_value(host ORDER BY event_key) AS host,
        min(event_time) AS event_time, max(event_time) AS last_time,
        any_value(parent_program ORDER BY event_key) AS parent_program,
        any_value(account(user_domain, user_name) ORDER BY event_key) AS user_name,
        -- Security and Sysmon both log a start: the one that saw more gives the number.
        greatest(count(*) FILTER (source = '4688'), count(*) FILTER (source = 'Sysmon')) AS starts,
        list(program) AS programs,
        any_value(coalesce(command_line, image) ORDER BY event_time, event_key) AS first_command,
        -- What runs others' code, steals, persists or destroys; plain shells are in every session of winrs.
        bool_or(program IN ('rundll32.exe', 'regsvr32.exe', 'mshta.exe', 'certutil.exe', 'bitsadmin.exe', 'wmic.exe', 'schtasks.exe', 'vssadmin.exe',
                'ntdsutil.exe', 'procdump.exe', 'procdump64.exe', 'installutil.exe', 'msbuild.exe', 'wscript.exe', 'cscript.exe')
            OR regexp_matches(command_line, '(?i)\b(net1?(\.exe)?["'']?\s.*/add\b|reg(\.exe)?["'']?\s+(save|add)\b|sc(\.exe)?["'']?\s+(create|config)\b)')) AS is_notable,
        count(DISTINCT program) FILTER (is_looking_around(program, command_line)) AS looking,
        list_sort(list(DISTINCT coalesce(command_line, image))) AS commands,
        list(event_key ORDER BY event_key) AS evidence
    FROM numbered
    GROUP BY computer, parent_process_id, island
)
SELECT event_time, host, computer, user_name,
    coalesce(user_name, 'Somebody') || ' started ' || counted(starts, 'program') || ' on ' || coalesce(computer, 'an unnamed computer')
        || ' through ' || CASE parent_program WHEN 'winrshost.exe' THEN 'winrs' ELSE 'PowerShell Remoting' END
        || ' (' || parent_program || coalesce(', process ' || parent_process_id, '') || ') ' || show_span(event_time, last_time)
        || ': ' || name_list(programs, 8) || '; first command: ' || coalesce(excerpt(first_command, 120), 'not logged') AS summary,
    evidence, parent_process_id, starts, commands, last_time, CASE WHEN is_notable OR looking >= $min_looking THEN 'high' END AS level
FROM bout
ORDER BY event_time, evidence
