-- ---
-- id = "logging_weakened"
-- title = "Audit policy or logging weakened"
-- level = "high"
-- attack = ["T1562.002", "T1562.003"]
-- description = """Auditing was switched off (4719 with success or failure removed), PowerShell's logging was switched off in
-- the registry, or a command did that or stopped the event log. What follows is not logged any more."""
-- false_positives = ["Changes of group policy, which reach many computers at once"]
-- references = ["https://learn.microsoft.com/windows/security/threat-protection/auditing/event-4719"]
-- requires = [{channel = "Security", event_id = [4719, 4688]}, {channel = "Microsoft-Windows-Sysmon/Operational", event_id = [1, 12, 13]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 5
-- description = "Changes on one computer this close together are one finding"
-- ---
-- 5 minutes: auditpol /clear writes a 4719 for each of some 60 subcategories.
WITH change AS (
    SELECT event_key, event_time, host, computer, account(subject_domain_name, subject_user_name) AS user_name,
        'auditing of subcategory ' || (event_data->>'SubcategoryGuid') || ' removed' AS text
    FROM rare_event
    -- %%8448 success removed, %%8450 failure removed; %%8449 and %%8451 are added.
    WHERE event_id = 4719 AND provider = 'Microsoft-Windows-Security-Auditing' AND regexp_matches(event_data->>'AuditPolicyChanges', '%%(8448|8450)')
    UNION ALL
    SELECT event_key, event_time, host, computer, user_name, path_end(key_path, 60) || ' ' || kind || coalesce(' ' || new_value, '')
    FROM registry_change
    WHERE (regexp_matches(key_path, '(?i)\\PowerShell(Core)?\\(ScriptBlockLogging|ModuleLogging|Transcription)(\\|$)')
            AND (kind = 'deleted' OR regexp_matches(new_value, '(?i)0x0+\)?$')))
        -- EventLog believes to be in Windows setup when this key exists, and stops logging.
        OR regexp_matches(key_path, '(?i)\\Control\\MiniNt(\\|$)')
        -- Channels whose silence hides an intruder; Windows itself switches analytic ones on and off.
        OR (regexp_matches(key_path, '(?i)' || concat_ws('|',
                '\\WINEVT\\Channels\\[^\\]*(security|sysmon|powershell|defender|winrm|taskscheduler)[^\\]*\\Enabled$',
                '\\WINEVT\\Channels\\[^\\]*(wmi-activity|terminalservices|firewall)[^\\]*\\Enabled$',
                '\\WMI\\Autologger\\EventLog[^\\]*(\\[^\\]*)?\\(Enabled|Start)$'))
            AND regexp_matches(new_value, '(?i)0x0+\)?$'))
        OR (regexp_matches(key_path, '(?i)\\Services\\EventLog\\Start$') AND regexp_matches(new_value, '(?i)0x0*4\)?$'))
    UNION ALL
    SELECT event_key, event_time, host, computer, account(user_domain, user_name), command_line
    FROM process_start
    WHERE regexp_matches(command_line, '(?i)\bauditpol(\.exe)?"?\s+.*(/clear|/remove|/restore|:disable)\b')
        OR regexp_matches(command_line, '(?i)\bwevtutil(\.exe)?"?\s+(sl|set-log)\s.*(/e|/enabled):f')
        OR regexp_matches(command_line, '(?i)\b(sc(\.exe)?"?\s+(config|stop|delete)|net1?(\.exe)?"?\s+stop)\s+"?eventlog\b')
        OR regexp_matches(command_line, '(?i)\blogman(\.exe)?"?\s+(stop|delete)\s+.*eventlog')
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS island
    FROM (SELECT *, lag(event_time) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS previous FROM change)
)
SELECT min(event_time) AS event_time, any_value(host ORDER BY event_key) AS host, computer, any_value(user_name ORDER BY event_key) AS user_name,
    coalesce(any_value(user_name ORDER BY event_key), 'Somebody') || ' weakened logging on ' || coalesce(computer, 'an unnamed computer') || ' '
        || show_span(min(event_time), max(event_time)) || ', ' || counted(count(*), 'trace') || ': ' || name_list(list(text), 4) AS summary,
    list(event_key ORDER BY event_key) AS evidence, list_sort(list(DISTINCT text)) AS changes
FROM numbered
GROUP BY computer, island
ORDER BY min(event_time), evidence
