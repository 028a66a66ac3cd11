-- ---
-- id = "local_powershell_session"
-- title = "Local PowerShell sessions"
-- description = """FireEye 2014, row "local script, Windows PowerShell log" (FE1): each engine that no remoting session used, by host id, with start and
-- stop (400, 403), command line (not by PowerShell 2.0) and what of it is logged. On by default."""
-- references = ["https://www.fireeye.com/content/dam/fireeye-www/global/en/solutions/pdfs/wp-lazanciyan-investigating-powershell-attacks.pdf"]
-- [params.contains]
-- type = "string"
-- default = ""
-- description = "Only command lines with this text"
-- ---
SELECT start_time, end_time, computer, user_name, host_name, engine_version, host_application, process_id, script_blocks, commands, host_id, event_keys
FROM powershell_session
WHERE NOT coalesce(is_remoting, false) AND contains(lower(coalesce(host_application, '')), lower($contains))
ORDER BY start_time, computer, event_keys
