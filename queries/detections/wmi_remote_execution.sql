-- ---
-- id = "wmi_remote_execution"
-- title = "Program started through WMI"
-- level = "high"
-- attack = ["T1047"]
-- description = """A shell or script host below WmiPrvSE.exe, or output redirected to ADMIN$ of this computer itself, as wmiexec does: somebody
-- ran commands through WMI, most often from another computer."""
-- false_positives = ["SCCM and inventory agents start scripts that way: they run without a shell as a rule"]
-- references = ["https://attack.mitre.org/techniques/T1047/"]
-- requires = [{channel = "Security", event_id = [4688]},
--     {channel = "Microsoft-Windows-Sysmon/Operational", event_id = [1]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Events of one kind this close together are one finding"
-- ---
WITH started AS (
    SELECT *, lag(event_time) OVER (PARTITION BY computer, user_name ORDER BY event_time, event_key) AS previous
    FROM process_start
    WHERE parent_program = 'wmiprvse.exe'
            AND program IN ('cmd.exe', 'powershell.exe', 'pwsh.exe', 'mshta.exe', 'wscript.exe', 'cscript.exe', 'rundll32.exe', 'regsvr32.exe')
        OR regexp_matches(command_line, '(?i)1> ?\\\\(127\.0\.0\.1|localhost)\\(admin|c)\$\\')
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer, user_name ORDER BY event_time, event_key) AS island FROM started
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, arg_min(account(user_domain, user_name), event_key) AS user_name,
    coalesce(arg_min(account(user_domain, user_name), event_key), 'Somebody') || ' ran '
        || counted(greatest(count(*) FILTER (source = '4688'), count(*) FILTER (source = 'Sysmon')), 'command') || ' through WMI on '
        || coalesce(computer, 'an unnamed computer') || ' ' || show_span(min(event_time), max(event_time)) || ': '
        || name_list(list(coalesce(command_line, image)), 3) AS summary,
    list_sort(list(event_key)) AS evidence, list_sort(list(DISTINCT coalesce(command_line, image))) AS commands
FROM numbered GROUP BY computer, user_name, island
ORDER BY event_time, evidence
