-- ---
-- id = "winrm"
-- title = "WinRM events"
-- materialize = true  # several detections read it: computed once for all of them
-- description = """Every event of WinRM/Operational as one shape: on the source the connections it opened, on the target
-- shells, authentications and refusals. user_sid is who wrote the event; user_name is told by 169 and newer 91 only."""
-- ---
-- 91: resourceUri, in newer builds with " (DOMAIN\user clientIP: address)" behind it; when its second value was absent,
-- Windows wrote ProcessingErrorData, whose EventPayload is the URI as hex of UTF-16. 169, 81, 82 and 134 are of Windows
-- 7 to 2012 R2. 193 is "authorized" there and "runs as a virtual account" (JEA, with data) from Windows 10.
WITH record AS (
    SELECT event_key, event_time, host, computer, event_id, user_sid, activity_id, process_id, event_data,
        regexp_extract(
            coalesce(event_data->>'resourceUri', decode_utf16_hex(event_data->>'$.ProcessingErrorData.EventPayload')),
            '^(\S+)(?: \((.+) clientIP: (.+)\))?$', ['uri', 'user', 'ip']) AS resource
    FROM counted_event
    WHERE channel = 'Microsoft-Windows-WinRM/Operational'
)
SELECT
    event_key, event_time, host, computer, event_id, user_sid, activity_id, process_id,
    CASE event_id
        WHEN 6 THEN 'session opened by this computer' WHEN 31 THEN 'session opened' WHEN 8 THEN 'session closing'
        WHEN 33 THEN 'session closed' WHEN 11 THEN 'shell requested' WHEN 13 THEN 'command requested'
        WHEN 15 THEN 'command closed' WHEN 16 THEN 'shell closed' WHEN 81 THEN 'operation started'
        WHEN 82 THEN 'operation request' WHEN 134 THEN 'operation ended' WHEN 91 THEN 'shell created'
        WHEN 142 THEN 'operation failed' WHEN 138 THEN 'no answer' WHEN 139 THEN 'no answer'
        WHEN 161 THEN 'authentication failed' WHEN 162 THEN 'authentication failed' WHEN 163 THEN 'authentication failed'
        WHEN 164 THEN 'destination not trusted' WHEN 168 THEN 'authentication requested' WHEN 169 THEN 'user authenticated'
        WHEN 173 THEN 'unauthenticated connections dropped' WHEN 192 THEN 'authorization failed'
        WHEN 193 THEN CASE WHEN event_data IS NULL THEN 'user authorized' ELSE 'runs as virtual account' END
        ELSE 'other' END AS kind,
    event_data->>'connection' AS connection,
    -- "HOST:5985/wsman?PSVersion=5.1": localhost:47001 is the local WSMan provider and no remoting.
    CASE WHEN event_id = 6 THEN lower(regexp_extract(event_data->>'connection', '^(?:https?://)?(\[[^\]]+\]|[^:/?]+)', 1)) END
        AS connected_host,
    nullif(resource.uri, '') AS resource_uri,
    CASE WHEN resource.uri ILIKE '%/powershell/Microsoft.PowerShell%' THEN 'powershell'
         WHEN resource.uri ILIKE '%/windows/shell/cmd' THEN 'winrs'
         WHEN resource.uri ILIKE '%/powershell/%' THEN 'custom endpoint' END AS shell_kind,
    coalesce(known(event_data->>'username'), nullif(resource.user, '')) AS user_name,
    clean_ip(nullif(resource.ip, '')) AS client_ip,
    known(event_data->>'authenticationMechanism') AS authentication_mechanism,
    known(event_data->>'operationName') AS operation,
    coalesce(event_data->>'errorCode', event_data->>'authFailureMessage') AS error,
    event_data
FROM record
