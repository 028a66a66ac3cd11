-- ---
-- id = "network_connection"
-- title = "Network connections of processes"
-- materialize = true  # its fields are read from JSON and cleaned once for all that join on addresses
-- description = """Sysmon 3 and Security 5156 (allowed by the firewall; by policy) as one shape."""
-- ---
-- 5156: Direction %%14593 is outbound, %%14592 inbound; the image is a device path. WinRM listens in http.sys: image System.
SELECT
    event_key, event_time, host, computer, event_id, image,
    as_integer(event_data->>'ProcessId') AS process_id,
    process_guid,
    known(event_data->>'User') AS user_name,
    coalesce(event_data->>'Initiated' = 'true', false) AS is_outbound,
    clean_ip(event_data->>'SourceIp') AS source_ip,
    as_integer(event_data->>'SourcePort') AS source_port,
    clean_ip(event_data->>'DestinationIp') AS destination_ip,
    known(event_data->>'DestinationHostname') AS destination_host,
    as_integer(event_data->>'DestinationPort') AS destination_port
FROM counted_event
WHERE event_id = 3 AND provider = 'Microsoft-Windows-Sysmon'
UNION ALL
SELECT
    event_key, event_time, host, computer, event_id, event_data->>'Application',
    as_integer(event_data->>'ProcessID'),
    NULL, NULL,
    coalesce(event_data->>'Direction' = '%%14593', false),
    clean_ip(event_data->>'SourceAddress'),
    as_integer(event_data->>'SourcePort'),
    clean_ip(event_data->>'DestAddress'),
    NULL,
    as_integer(event_data->>'DestPort')
FROM counted_event
WHERE event_id = 5156 AND provider = 'Microsoft-Windows-Security-Auditing'
