-- ---
-- id = "command_text"
-- title = "Commands and scripts as text"
-- materialize = true  # several detections read it: computed once for all of them
-- description = """Command lines of started processes, PowerShell script blocks, and command lines of PowerShell's classic
-- module log (800): where to search for what somebody typed. event_keys holds all parts of a script block."""
-- ---
SELECT event_key, [event_key] AS event_keys, event_time, host, computer, source, account(user_domain, user_name) AS user_name,
    process_id, logon_id, command_line AS text
FROM process_start
WHERE command_line IS NOT NULL
UNION ALL
SELECT event_key, event_keys, event_time, host, computer, '4104', user_sid, process_id, NULL, text
FROM script_block
UNION ALL
SELECT event_key, [event_key], event_time, host, computer, '800', user_name, NULL, NULL, command_line
FROM module_log
WHERE event_id = 800 AND command_line IS NOT NULL
