-- ---
-- id = "named_pipe"
-- title = "Named pipes created and opened"
-- description = """Sysmon 17 (created) and 18 (connected), and Security 5145 on the share IPC$, which knows the client."""
-- ---
SELECT
    event_key, event_time, host, computer, event_id,
    ltrim(event_data->>'PipeName', '\') AS pipe,
    image,                                      -- "System" in 18: opened over the network
    known(event_data->>'User') AS user_name,
    NULL AS ip,
    NULL AS logon_id
FROM counted_event
WHERE event_id IN (17, 18) AND provider = 'Microsoft-Windows-Sysmon'
UNION ALL
SELECT
    event_key, event_time, host, computer, event_id, ltrim(path, '\'), NULL, user_name, ip, logon_id
FROM share_access
WHERE event_id = 5145 AND upper(share) = 'IPC$'
