-- ---
-- id = "credssp_configured"
-- title = "CredSSP enabled for remoting"
-- level = "high"
-- attack = ["T1556", "T1003"]
-- description = """CredSSP hands the user's password to the server: enabled on a client (policy for fresh credentials, WSMan client) or on a
-- server (WSMan service), in the registry or by Enable-WSManCredSSP. It is the second hop that leaves the password behind."""
-- false_positives = ["Old SharePoint, SCVMM and Exchange farms are set up so on purpose"]
-- references = ["https://learn.microsoft.com/powershell/scripting/security/remoting/ps-remoting-second-hop"]
-- requires = [{channel = "Microsoft-Windows-Sysmon/Operational", event_id = [12, 13]},
--     {channel = "Security", event_id = [4657, 4688]},
--     {channel = "Microsoft-Windows-PowerShell/Operational", event_id = [4104]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Events of one kind this close together are one finding"
-- ---
-- auth_credssp is from memory: any value below WSMAN with the word counts.
WITH step AS (
    SELECT event_key, event_time, host, computer, user_name, key_path || coalesce(' = ' || new_value, '') AS what
    FROM registry_change
    WHERE kind IN ('set', 'created') AND NOT coalesce(regexp_matches(new_value, '^(DWORD \(0x0+\)|0)$'), false)
        AND regexp_matches(key_path, '(?i)\\CredentialsDelegation\\.*Fresh|\\(WSMAN|WinRM)\\.*credssp')
    UNION ALL
    SELECT event_key, event_time, host, computer, user_name, excerpt(text, 200)
    FROM command_text
    WHERE regexp_matches(without_backticks(text), '(?is)enable-wsmancredssp|allowfreshcredentials|wsman:.{0,80}credssp.{0,40}(true|1)')
        AND len(text) < 4000
),
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS previous FROM step),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS island FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, arg_min(user_name, event_key) AS user_name,
    'CredSSP was enabled on ' || coalesce(computer, 'an unnamed computer') || ' ' || show_span(min(event_time), max(event_time)) || ': '
        || name_list(list(what), 4) AS summary,
    list_sort(list(event_key)) AS evidence
FROM numbered GROUP BY computer, island
ORDER BY event_time, evidence
