-- ---
-- id = "powershell_by_host_application"
-- title = "PowerShell engines by the program that hosted them"
-- description = """From the classic log, which is on by default: each host application with its engine versions, how often and
-- when. Rare ones at the top. ServerRemoteHost is remoting; version 2.0 beside a newer one is a downgrade."""
-- [params.contains]
-- type = "string"
-- default = ""
-- description = "Only host applications with this text"
-- ---
SELECT
    host_application, host_name,
    list_sort(list(DISTINCT engine_version)) AS engine_versions,
    count(DISTINCT coalesce(host_id, event_key::VARCHAR)) AS engines,
    count(DISTINCT computer) AS computers,
    name_list(list(computer), 5) AS computer_names,
    min(event_time) AS first_time, max(event_time) AS last_time,
    min(event_key) AS event_key
FROM powershell_engine
WHERE event_id IN (400, 403) AND contains(lower(coalesce(host_application, '')), lower($contains))
GROUP BY host_application, host_name
ORDER BY engines, first_time, host_application
