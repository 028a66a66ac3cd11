-- ---
-- id = "powershell_engine"
-- title = "Windows PowerShell engine and provider life"
-- materialize = true  # several tables read it: its text block is split once for all of them
-- description = """400 (engine available), 403 (engine stopped) and 600 (provider started) of the classic log 'Windows
-- PowerShell', its text block split into columns. host_name ServerRemoteHost is a remoting session."""
-- ---
-- Data is an unnamed list: new state, old state (600: provider name, state), block. Lines end in \r\n or \n, any may be
-- missing: PowerShell 2 writes no HostApplication. 600 comes before 400 and has no RunspaceId yet.
WITH block AS (
    SELECT event_key, event_time, host, computer, event_id, unnamed(event_data, 3) AS block,
        unnamed(event_data, 1) AS first_value, unnamed(event_data, 2) AS second_value
    FROM counted_event
    WHERE event_id IN (400, 403, 600) AND channel = 'Windows PowerShell' AND provider = 'PowerShell'
)
SELECT
    event_key, event_time, host, computer, event_id,
    CASE event_id WHEN 400 THEN 'engine started' WHEN 403 THEN 'engine stopped' ELSE 'provider started' END AS kind,
    coalesce(line_value(block, 'NewEngineState'), CASE WHEN event_id <> 600 THEN first_value END) AS new_state,
    coalesce(line_value(block, 'PreviousEngineState'), CASE WHEN event_id <> 600 THEN second_value END) AS previous_state,
    CASE WHEN event_id = 600 THEN coalesce(line_value(block, 'ProviderName'), first_value) END AS provider_name,
    as_integer(line_value(block, 'SequenceNumber')) AS sequence_number,
    line_value(block, 'HostName') AS host_name,
    line_value(block, 'HostVersion') AS host_version,
    clean_guid(line_value(block, 'HostId')) AS host_id,
    coalesce(host_application(block), line_value(block, 'HostApplication')) AS host_application,
    line_value(block, 'EngineVersion') AS engine_version,
    clean_guid(line_value(block, 'RunspaceId')) AS runspace_id,
    line_value(block, 'PipelineId') AS pipeline_id
FROM block
