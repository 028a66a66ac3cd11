-- ---
-- id = "flagged_script_block"
-- title = "PowerShell script block that Windows itself flagged"
-- level = "medium"
-- attack = ["T1059.001"]
-- description = """4104 of level 3: PowerShell 5 and later log a block with words such as reflection, Marshal or encoded text
-- as a warning, even without a logging policy. Blocks with offensive code are in suspicious_script_block."""
-- false_positives = ["Administrative modules that use reflection or compile C# (Add-Type)"]
-- references = ["https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_logging_windows"]
-- requires = [{channel = "Microsoft-Windows-PowerShell/Operational", event_id = [4104]},
--     {channel = "PowerShellCore/Operational", event_id = [4104]}]
-- ---
SELECT event_time, host, computer, user_sid AS user_name,
    'PowerShell' || coalesce(' process ' || process_id, '') || ' on ' || coalesce(computer, 'an unnamed computer')
        || coalesce(' ran as ' || user_sid, ' ran') || ' ' || counted(blocks, 'script block') || ' that Windows flagged as suspicious '
        || show_span(event_time, last_time) || coalesce(', from ' || excerpt(path, 100), '') || coalesce(': ' || excerpt(text, 120), '') AS summary,
    evidence, blocks, process_id, path, text, last_time
FROM notable_script_block
WHERE len(keywords) = 0
ORDER BY event_time, evidence
