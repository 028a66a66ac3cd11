-- ---
-- id = "module_log"
-- title = "PowerShell commands of module logging"
-- materialize = true  # several detections read it: computed once for all of them
-- description = """4103 of PowerShell 5 and 7 and 800 of the classic log: commands with their parameters and output."""
-- ---
-- 4103: ContextInfo is a text block of "Name = value" lines whose names are translated on non-English Windows; Payload
-- holds the parameters. 800: an unnamed list of the command line, a block of "Name=value" lines, and the payload.
SELECT
    event_key, event_time, host, computer, channel, event_id, process_id, user_sid,
    line_value(context, 'User') AS user_name,
    line_value(context, 'Connected User') AS connected_user,    -- differs from user_name in JEA and RunAs
    line_value(context, 'Host Name') AS host_name,
    clean_guid(line_value(context, 'Host ID')) AS host_id,
    line_value(context, 'Host Application') AS host_application,
    line_value(context, 'Engine Version') AS engine_version,
    clean_guid(line_value(context, 'Runspace ID')) AS runspace_id,
    line_value(context, 'Pipeline ID') AS pipeline_id,
    line_value(context, 'Command Name') AS command_name,
    line_value(context, 'Script Name') AS script_name,
    NULL AS command_line,
    data.Payload AS payload
FROM (SELECT *, data.ContextInfo AS context
      FROM (SELECT *, fields(event_data, 'ContextInfo, Payload') AS data FROM counted_event))
WHERE event_id = 4103 AND channel IN ('Microsoft-Windows-PowerShell/Operational', 'PowerShellCore/Operational')
UNION ALL
SELECT
    event_key, event_time, host, computer, channel, event_id, NULL, user_sid,    -- classic events name no process
    line_value(block, 'UserId'),
    NULL,
    line_value(block, 'HostName'),
    clean_guid(line_value(block, 'HostId')),
    coalesce(host_application(block), line_value(block, 'HostApplication')),
    line_value(block, 'EngineVersion'),
    clean_guid(line_value(block, 'RunspaceId')),
    line_value(block, 'PipelineId'),
    NULL,
    line_value(block, 'ScriptName'),
    known(unnamed(event_data, 1)),
    unnamed(event_data, 3)
FROM (SELECT *, unnamed(event_data, 2) AS block FROM counted_event)
WHERE event_id = 800 AND channel = 'Windows PowerShell' AND provider = 'PowerShell'
