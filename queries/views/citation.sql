-- ---
-- id = "citation"
-- title = "How to cite a record"
-- description = """One row an event: its computer, and the short words by which a report cites it, such as "Security 4624 #4711"; of a record from slack
-- or carved that says so: "Security 4624 #4711 (slack)"."""
-- ---
SELECT event_key, lower(computer) AS computer,
    coalesce(CASE channel WHEN 'Microsoft-Windows-Sysmon/Operational' THEN 'Sysmon' WHEN 'Microsoft-Windows-WinRM/Operational' THEN 'WinRM'
        WHEN 'Microsoft-Windows-PowerShell/Operational' THEN 'PowerShell' ELSE channel END, '?')
        || ' ' || coalesce(event_id::VARCHAR, '?') || ' #' || coalesce(event_record_id::VARCHAR, '?')
        || CASE WHEN origin IN ('slack', 'carved') THEN ' (' || origin || ')' ELSE '' END AS words
FROM event
