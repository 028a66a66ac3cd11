-- ---
-- id = "suspicious_script_block"
-- title = "PowerShell script block with offensive code"
-- level = "high"
-- attack = ["T1059.001", "T1003"]
-- description = """4104 script blocks that name offensive tools (Mimikatz, PowerSploit, PowerView), switch AMSI off, dump
-- memory or call what code injection needs. Findings are by process and bout of work."""
-- false_positives = ["Security products and their modules", "Detection scripts that list the same words"]
-- references = ["https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_logging_windows"]
-- requires = [{channel = "Microsoft-Windows-PowerShell/Operational", event_id = [4104]},
--     {channel = "PowerShellCore/Operational", event_id = [4104]}]
-- ---
SELECT event_time, host, computer, user_sid AS user_name,
    'PowerShell' || coalesce(' process ' || process_id, '') || ' on ' || coalesce(computer, 'an unnamed computer')
        || coalesce(' ran as ' || user_sid, ' ran') || ' ' || counted(blocks, 'script block')
        || ' with offensive code (' || name_list(keywords, 5) || ') '
        || show_span(event_time, last_time) || coalesce(', from ' || excerpt(path, 100), '') || ': ' || excerpt(text, 120) AS summary,
    evidence, keywords, blocks, process_id, path, text, last_time
FROM notable_script_block
WHERE len(keywords) > 0
ORDER BY event_time, evidence
