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
WITH stepped AS (
    SELECT *, lag(event_time) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS previous FROM remoting_setting WHERE kind = 'weaker'
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS island FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, arg_min(user_name, event_key) AS user_name,
    'WinRM was made less safe on ' || coalesce(computer, 'an unnamed computer') || ' ' || show_span(min(event_time), max(event_time)) || ': '
        || name_list(list(what), 4) AS summary,
    list_sort(list(event_key)) AS evidence
FROM numbered GROUP BY computer, island
ORDER BY event_time, evidence
