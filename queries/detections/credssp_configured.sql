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
WITH stepped AS (
    SELECT *, lag(event_time) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS previous FROM remoting_setting WHERE kind = 'credssp'
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS island FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, arg_min(user_name, event_key) AS user_name,
    'CredSSP was enabled on ' || coalesce(computer, 'an unnamed computer') || ' ' || show_span(min(event_time), max(event_time)) || ': '
        || name_list(list(what), 4) AS summary,
    list_sort(list(event_key)) AS evidence
FROM numbered GROUP BY computer, island
ORDER BY event_time, evidence
