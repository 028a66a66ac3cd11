-- ---
-- id = "winrs_command"
-- title = "Command run over winrs"
-- level = "medium"
-- attack = ["T1021.006", "T1059.003"]
-- description = """Programs below winrshost.exe: somebody ran commands on this computer with winrs or a tool that speaks its protocol.
-- winrs is rare beside PowerShell Remoting."""
-- false_positives = ["Ansible, Packer, Vagrant, Terraform and old scripts"]
-- references = ["https://learn.microsoft.com/windows-server/administration/windows-commands/winrs"]
-- requires = [{channel = "Security", event_id = [4688]},
--     {channel = "Microsoft-Windows-Sysmon/Operational", event_id = [1]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 5
-- description = "Commands of one host process this close together are one finding"
-- ---
-- 5 minutes: one bout of work, as in remoting_child_process.
WITH command AS (
    SELECT *, lag(event_time) OVER (PARTITION BY computer, parent_process_id ORDER BY event_time, event_key) AS previous
    FROM remoting_child WHERE parent_program = 'winrshost.exe' AND program NOT IN ('conhost.exe', 'werfault.exe')
        -- Automation by encoded PowerShell has its own detection.
        AND encoded_command(command_line) IS NULL
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (
        PARTITION BY computer, parent_process_id ORDER BY event_time, event_key) AS island
    FROM command
),
bout AS (
    SELECT computer, parent_process_id, island, arg_min(host, event_key) AS host, min(event_time) AS event_time, max(event_time) AS last_time,
        arg_min(account(user_domain, user_name), event_key) AS user_name,
        list_sort(list(DISTINCT coalesce(command_line, image))) AS commands, list_sort(list(event_key)) AS evidence
    FROM numbered GROUP BY computer, parent_process_id, island
)
SELECT event_time, host, computer, user_name,
    coalesce(user_name, 'Somebody') || ' ran ' || counted(len(commands), 'command') || ' on ' || coalesce(computer, 'an unnamed computer')
        || ' over winrs ' || show_span(event_time, last_time) || ': ' || name_list(commands, 5) AS summary,
    evidence, commands, parent_process_id
FROM bout
ORDER BY event_time, evidence
