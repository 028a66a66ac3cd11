-- ---
-- id = "blocked_script"
-- title = "Scripts that the execution policy blocked, and PowerShell consoles"
-- description = """FireEye 2014, row "local script, PowerShell Operational log" (FE2): errors (4100) that name a script which the execution policy kept
-- from running, and each start of a console (40961). On by default since PowerShell 3.0."""
-- references = ["https://www.fireeye.com/content/dam/fireeye-www/global/en/solutions/pdfs/wp-lazanciyan-investigating-powershell-attacks.pdf"]
-- ---
SELECT event_time, computer, user_sid, process_id, CASE event_id WHEN 40961 THEN 'console started' ELSE 'script blocked' END AS kind,
    nullif(regexp_extract(event_data->>'Payload', '(?i)(?:file|datei)?\s*"?([a-z]:\\[^"\r\n]+?\.psm?1|\\\\[^"\r\n]+?\.psm?1)', 1), '') AS script,
    excerpt(event_data->>'Payload', 400) AS message, event_key
FROM counted_event
WHERE channel = 'Microsoft-Windows-PowerShell/Operational'
    -- The id is the same in every language, the sentence is not.
    AND (event_id = 40961 OR (event_id = 4100 AND (event_data->>'Payload' ILIKE '%running scripts is disabled%'
        OR event_data->>'Payload' ILIKE '%about_execution_policies%' OR event_data->>'Payload' ILIKE '%UnauthorizedAccess%'
        OR event_data->>'ContextInfo' ILIKE '%UnauthorizedAccess%')))
ORDER BY event_time, event_key
