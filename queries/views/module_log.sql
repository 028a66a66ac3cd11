-- ---
-- id = "module_log"
-- title = "PowerShell commands of module logging"
-- description = """4103 of PowerShell 5 and 7 and 800 of the classic log: commands with their parameters and output."""
-- ---
-- 4103: ContextInfo is a text block of "Name = value" lines whose names are translated on non-English Windows; Payload
-- holds the parameters. 800: an unnamed list of the command line, a block of "Name=value" lines, and the payload.
SELECT
    event_key, event_time, host, computer, channel, event_id, process_id, user_sid,
    line_value(event_data->>'ContextInfo', 'User') AS user_name,
    line_value(event_data->>'ContextInfo', 'Connected User') AS connected_user,    -- differs from user_name in JEA and RunAs
    line_value(event_data->>'ContextInfo', 'Host Name') AS host_name,
    clean_guid(line_value(event_data->>'ContextInfo', 'Host ID')) AS host_id,
    line_value(event_data->>'ContextInfo', 'Host Application') AS host_application,
    line_value(event_data->>'ContextInfo', 'Engine Version') AS engine_version,
    clean_guid(line_value(event_data->>'ContextInfo', 'Runspace ID')) AS runspace_id,
    line_value(event_data->>'ContextInfo', 'Pipeline ID') AS pipeline_id,
    line_value(event_data->>'ContextInfo', 'Command Name') AS command_name,
    line_value(event_data->>'ContextInfo', 'Script Name') AS script_name,
    NULL AS command_line,
    event_data->>'Payload' AS payload
FROM event
WHERE event_id = 4103 AND channel IN ('Microsoft-Windows-PowerShell/Operational', 'PowerShellCore/Operational')
UNION ALL
SELECT
    event_key, event_time, host, computer, channel, event_id, NULL, user_sid,    -- classic events name no process
    line_value(unnamed(event_data, 2), 'UserId'),
    NULL,
    line_value(unnamed(event_data, 2), 'HostName'),
    clean_guid(line_value(unnamed(event_data, 2), 'HostId')),
    coalesce(host_application(unnamed(event_data, 2)), line_value(unnamed(event_data, 2), 'HostApplication')),
    line_value(unnamed(event_data, 2), 'EngineVersion'),
    clean_guid(line_value(unnamed(event_data, 2), 'RunspaceId')),
    line_value(unnamed(event_data, 2), 'PipelineId'),
    NULL,
    line_value(unnamed(event_data, 2), 'ScriptName'),
    known(unnamed(event_data, 1)),
    unnamed(event_data, 3)
FROM event
WHERE event_id = 800 AND channel = 'Windows PowerShell' AND provider = 'PowerShell'
