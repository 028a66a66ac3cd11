-- ---
-- id = "winrm_configuration_tampered"
-- title = "WinRM made less safe"
-- level = "high"
-- attack = ["T1562", "T1021.006"]
-- description = """TrustedHosts, AllowUnencrypted, Basic authentication or LocalAccountTokenFilterPolicy were set, in the registry or by a
-- command: identity, encryption or the token filter of remote logons were given up. CredSSP: see credssp_configured."""
-- false_positives = ["Deployment scripts; TrustedHosts is needed for workgroup computers and connections by address"]
-- references = ["https://learn.microsoft.com/powershell/scripting/security/remoting/winrm-security", "https://learn.microsoft.com/windows/win32/winrm/installation-and-configuration-for-windows-remote-management"]
-- requires = [{channel = "Microsoft-Windows-Sysmon/Operational", event_id = [1, 13]},
--     {channel = "Security", event_id = [4657, 4688]},
--     {channel = "Microsoft-Windows-PowerShell/Operational", event_id = [4104]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Events of one kind this close together are one finding"
-- ---
-- The value names below WSMAN are from memory, so any name with the word counts; a value of 0 or nothing is a step back.
WITH step AS (
    SELECT event_key, event_time, host, computer, user_name, key_path || ' = ' || coalesce(new_value, '?') AS what
    FROM registry_change
    WHERE kind = 'set' AND NOT coalesce(regexp_matches(new_value, '^(DWORD \(0x0+\)|0|\(Empty\)|)$'), false)
        AND regexp_matches(key_path, '(?i)\\(WSMAN|WinRM)\\(Client|Service).*\\[^\\]*(trusted_?hosts|unencrypted|basic)[^\\]*$|\\LocalAccountTokenFilterPolicy$')
    UNION ALL
    SELECT event_key, event_time, host, computer, user_name, excerpt(text, 200)
    FROM command_text
    WHERE regexp_matches(without_backticks(text), '(?is)(set-item|set-wsmaninstance|winrm(\.cmd)?["'']?\s+set|\bsi\b).{0,200}(trustedhosts|allowunencrypted|auth[\\/]+basic|@\{\s*basic)')
        -- A long script that mentions it is no single command.
        AND len(text) < 4000
),
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS previous FROM step),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS island FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, arg_min(user_name, event_key) AS user_name,
    'WinRM was made less safe on ' || coalesce(computer, 'an unnamed computer') || ' ' || show_span(min(event_time), max(event_time)) || ': '
        || name_list(list(what), 4) AS summary,
    list_sort(list(event_key)) AS evidence
FROM numbered GROUP BY computer, island
ORDER BY event_time, evidence
