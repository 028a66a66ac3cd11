-- ---
-- id = "analytic_command"
-- title = "Commands that PowerShell's analytic log names"
-- description = """FireEye 2014, rows "local script" and "remoting, accessed host", PowerShell Analytic log (FE3): 7937, "Command X is Started" or
-- "Stopped", with the user and the remote user, without arguments. The log is off by default and readable only where it was exported as .evtx."""
-- references = ["https://www.fireeye.com/content/dam/fireeye-www/global/en/solutions/pdfs/wp-lazanciyan-investigating-powershell-attacks.pdf"]
-- ---
SELECT event_time, computer, user_sid, process_id,
    coalesce(line_value(event_data->>'ContextInfo', 'Command Name'), nullif(regexp_extract(event_data->>'Payload', '(?i)Command (.*?) is', 1), '')) AS command_name,
    line_value(event_data->>'ContextInfo', 'Command Type') AS command_type, line_value(event_data->>'ContextInfo', 'User') AS user_name,
    line_value(event_data->>'ContextInfo', 'Connected User') AS connected_user, line_value(event_data->>'ContextInfo', 'Host Name') AS host_name,
    event_data->>'Payload' AS message, event_key
FROM counted_event
WHERE event_id = 7937 AND channel = 'Microsoft-Windows-PowerShell/Analytic'
ORDER BY event_time, event_key
