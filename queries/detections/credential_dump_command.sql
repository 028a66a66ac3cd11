-- ---
-- id = "credential_dump_command"
-- title = "Command that dumps credentials"
-- level = "critical"
-- attack = ["T1003.001", "T1003.002", "T1003.003"]
-- description = """Command lines that dump LSASS (comsvcs MiniDump, procdump, rdrleakdiag), save the SAM, SECURITY or SYSTEM
-- hive, copy the directory database NTDS.dit, or give Mimikatz its orders."""
-- false_positives = ["Backup of domain controllers with ntdsutil", "Crash analysis of LSASS by support"]
-- references = ["https://attack.mitre.org/techniques/T1003/"]
-- requires = [{channel = "Security", event_id = [4688]}, {channel = "Microsoft-Windows-Sysmon/Operational", event_id = [1]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 5
-- description = "Such commands on one computer this close together are one finding"
-- ---
-- 5 minutes: the three hives are saved one after another, and cmd.exe and its child have the same words.
WITH dump AS (
    SELECT *, lag(event_time) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS previous
    FROM process_start
    WHERE regexp_matches(command_line, '(?i)' || concat_ws('|',
        'comsvcs(\.dll)?["'']?[\s,]+.{0,20}(minidump|#[-+]?0*24|\b24\b)', 'procdump(64)?(\.exe)?["'']?\s.*\blsass', '\blsass(\.exe)?\s+.*\.dmp',
        'rdrleakdiag.*(/fullmemdmp|-fullmemdmp)', '\breg(\.exe)?["'']?\s+(save|export)\s+["'']?(hklm|hkey_local_machine)\\(sam|security|system)\b',
        'ntdsutil.*\bifm\b', 'ac(tivate)?\s+i(nstance)?\s+ntds', '\\ntds\.dit\b', '(sekurlsa|lsadump|kerberos|dpapi)::\w', 'privilege::debug'))
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS island
    FROM dump
)
SELECT min(event_time) AS event_time, any_value(host ORDER BY event_key) AS host, computer,
    any_value(account(user_domain, user_name) ORDER BY event_key) AS user_name,
    coalesce(any_value(account(user_domain, user_name) ORDER BY event_key), 'Somebody') || ' ran ' || counted(count(DISTINCT command_line), 'command')
        || ' to dump credentials on ' || coalesce(computer, 'an unnamed computer') || ' ' || show_span(min(event_time), max(event_time))
        || ': ' || name_list(list(command_line), 4) AS summary,
    list(event_key ORDER BY event_key) AS evidence, list_sort(list(DISTINCT command_line)) AS commands
FROM numbered
GROUP BY computer, island
ORDER BY min(event_time), evidence
