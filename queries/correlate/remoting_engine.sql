-- ---
-- id = "remoting_engine"
-- title = "PowerShell engines of remoting sessions"
-- description = """One row an engine whose host is a remoting session: 400 with HostName=ServerRemoteHost and the 403 of the same
-- HostId. No 403: the process was killed, or the log does not reach that far."""
-- [columns]
-- engine_number = "in the order of time; an id within this case"
-- computer = "where, lower case"
-- host_id = "joins 400, 403, 600, 800 and 4103"
-- runspace_id = "of the engine's runspace"
-- engine_version = "of PowerShell"
-- start_time = "400; the first 403 or 600 where there is no 400"
-- end_time = "403; NULL: not seen"
-- start_keys = "400"
-- end_keys = "403"
-- provider_keys = "600 of the same HostId"
-- ---
SELECT row_number() OVER (ORDER BY min(event_time), lower(computer), host_id) AS engine_number,
    lower(computer) AS computer, host_id, arg_min(runspace_id, event_key) AS runspace_id,
    arg_min(engine_version, event_key) AS engine_version,
    coalesce(min(event_time) FILTER (event_id = 400), min(event_time) FILTER (event_id = 600), min(event_time)) AS start_time,
    max(event_time) FILTER (event_id = 403) AS end_time,
    coalesce(list(event_key ORDER BY event_key) FILTER (event_id = 400), []) AS start_keys,
    coalesce(list(event_key ORDER BY event_key) FILTER (event_id = 403), []) AS end_keys,
    coalesce(list(event_key ORDER BY event_key) FILTER (event_id = 600), []) AS provider_keys
FROM powershell_engine
WHERE host_name = 'ServerRemoteHost' AND host_id IS NOT NULL
GROUP BY lower(computer), host_id
ORDER BY engine_number
