-- ---
-- id = "module_log_search"
-- title = "Commands, parameters and output of module logging"
-- description = """FireEye 2014, row "all scenarios, module logging" (FE8): 4103 of PowerShell 3.0 and later and 800 of the classic log, each pipeline with its
-- parameters and output. By policy. Without a text it lists all."""
-- references = ["https://www.fireeye.com/content/dam/fireeye-www/global/en/solutions/pdfs/wp-lazanciyan-investigating-powershell-attacks.pdf"]
-- [params.text]
-- type = "string"
-- default = ""
-- description = "Only what has this text in its parameters, output or command line"
-- ---
SELECT event_time, computer, coalesce(user_name, user_sid) AS user_name, connected_user, host_name, process_id, command_name, script_name, command_line, payload, event_key
FROM module_log
WHERE contains(lower(coalesce(payload, '') || ' ' || coalesce(command_line, '')), lower($text))
ORDER BY event_time, event_key
