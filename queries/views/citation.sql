-- ---
-- id = "citation"
-- title = "How to cite a record"
-- description = """One row an event: its computer, and the short words by which a report cites it, such as "Security 4624 #4711"."""
-- ---
SELECT event_key, lower(computer) AS computer,
    coalesce(CASE channel WHEN 'Microsoft-Windows-Sysmon/Operational' THEN 'Sysmon' WHEN 'Microsoft-Windows-WinRM/Operational' THEN 'WinRM'
        WHEN 'Microsoft-Windows-PowerShell/Operational' THEN 'PowerShell' ELSE channel END, '?')
        || ' ' || coalesce(event_id::VARCHAR, '?') || ' #' || coalesce(event_record_id::VARCHAR, '?') AS words
FROM event
