-- ---
-- id = "defender_weakened"
-- title = "Microsoft Defender or the firewall switched off or weakened"
-- level = "high"
-- attack = ["T1562.001", "T1562.004"]
-- description = """Defender's protection was switched off (5001, 5010, 5012), got an exclusion or a weaker setting (5007, registry),
-- or a command did that to Defender or the Windows firewall."""
-- false_positives = ["Exclusions that a product's installer or an administrator sets", "Another antivirus takes over"]
-- references = ["https://learn.microsoft.com/defender-endpoint/troubleshoot-microsoft-defender-antivirus"]
-- requires = [{channel = "Microsoft-Windows-Windows Defender/Operational", event_id = [5001, 5007, 5010, 5012]},
--     {channel = "Microsoft-Windows-Sysmon/Operational", event_id = [1, 12, 13]}, {channel = "Security", event_id = [4688]},
--     {channel = "Microsoft-Windows-PowerShell/Operational", event_id = [4104]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 5
-- description = "Changes on one computer this close together are one finding"
-- ---
-- 5 minutes: a script that switches off several parts is one story.
WITH change AS (
    SELECT event_key, [event_key] AS event_keys, event_time, host, computer, NULL AS user_name,
        CASE event_id WHEN 5001 THEN 'real-time protection switched off' WHEN 5010 THEN 'scan for malware switched off'
            WHEN 5012 THEN 'scan for viruses switched off' ELSE event_data->>'New Value' END AS text
    FROM rare_event
    WHERE channel = 'Microsoft-Windows-Windows Defender/Operational' AND event_id IN (5001, 5007, 5010, 5012)
        AND (event_id <> 5007 OR regexp_matches(event_data->>'New Value',
            '(?i)\\Exclusions\\|\\Disable\w+ = 0x1|SpyNetReporting = 0x0|TamperProtection = 0x0'))
    UNION ALL
    SELECT event_key, [event_key], event_time, host, computer, user_name, path_end(key_path, 60) || ' = ' || new_value
    FROM registry_change
    WHERE kind = 'set' AND regexp_matches(key_path, '(?i)\\Windows Defender\\|\\WindowsFirewall\\|\\FirewallPolicy\\|\\SharedAccess\\Parameters')
        -- Sysmon writes numbers as "DWORD (0x00000001)".
        AND (regexp_matches(key_path, '(?i)\\Exclusions\\.')
            OR (regexp_matches(key_path, '(?i)\\Disable[^\\]*$') AND regexp_matches(new_value, '(?i)0x0*1\)?$'))
            OR (regexp_matches(key_path, '(?i)\\(EnableFirewall|SpyNetReporting|TamperProtection)$') AND regexp_matches(new_value, '(?i)0x0+\)?$')))
    UNION ALL
    SELECT event_key, [event_key], event_time, host, computer, account(user_domain, user_name), command_line
    FROM process_start
    WHERE regexp_matches(command_line, '(?i)' || concat_ws('|',
        '\b(sc(\.exe)?"?\s+(config|stop|delete)|net1?(\.exe)?"?\s+stop)\s+"?(windefend|wdnissvc|wdboot|wdfilter|sense|mpssvc)\b',
        'netsh(\.exe)?"?\s+(advfirewall\s+set\s+\w+\s+state\s+off|firewall\s+set\s+opmode\s+(mode=)?disable)',
        'mpcmdrun(\.exe)?"?\s+.*-removedefinitions'))
    UNION ALL
    SELECT event_key, event_keys, event_time, host, computer, user_name, substr(text, greatest(instr(lower(text), 'mppreference') - 60, 1), 300)
    FROM command_text
    WHERE regexp_matches(text, '(?i)(set-mppreference\s[^|;]*-disable\w+[\s:]+(\$?true|1)\b|add-mppreference\s[^|;]*-exclusion)')
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS island
    FROM (SELECT *, lag(event_time) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS previous FROM change)
)
SELECT min(event_time) AS event_time, any_value(host ORDER BY event_key) AS host, computer, any_value(user_name ORDER BY event_key) AS user_name,
    coalesce(any_value(user_name ORDER BY event_key), 'Somebody') || ' weakened Defender or the firewall on '
        || coalesce(computer, 'an unnamed computer') || ' '
        || show_span(min(event_time), max(event_time)) || ', ' || counted(count(*), 'trace') || ': ' || name_list(list(text), 4) AS summary,
    list_sort(flatten(list(event_keys))) AS evidence, list_sort(list(DISTINCT text)) AS changes
FROM numbered
GROUP BY computer, island
ORDER BY min(event_time), evidence
