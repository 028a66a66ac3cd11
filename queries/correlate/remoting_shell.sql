-- ---
-- id = "remoting_shell"
-- title = "WSMan shells"
-- description = """One row a shell that WinRM created: 91 of Windows 8 and later, else the CreateShell request (81) of Windows 7,
-- which has no 91. On 2012 R2, which logs both, they are one row."""
-- [columns]
-- shell_number = "in the order of time; an id within this case"
-- computer = "where, lower case"
-- event_time = "of the 91, else of the 81"
-- user_sid = "who was authenticated"
-- user_name = "who, where the event tells (recent 91)"
-- user_domain = "of user_name"
-- client_ip = "address of the client, where the event tells (recent 91)"
-- resource_uri = "what kind of shell; NULL: an 81 without its 82"
-- shell_id = "the shell's own id, which the client's WinRM 11 has as well; NULL: not logged"
-- kind = "powershell, winrs, custom endpoint, other"
-- end_time = "DeleteShell request (81), Windows 7 to 2012 R2; NULL: not logged"
-- event_keys = "91; 81, 82 and 134 of CreateShell"
-- end_keys = "81, 82 and 134 of DeleteShell"
-- ---
WITH record AS (
    SELECT winrm.*, lower(computer) AS place, coalesce(operation, event_data->>'operation') AS request,
        coalesce(resource_uri, event_data->>'resourceURI') AS uri
    FROM winrm
),
created AS (SELECT * FROM record WHERE event_id = 91),
-- The events of one request have one activity id and follow within a second.
request AS (
    SELECT place, activity_id, user_sid, request, min(event_time) AS event_time, arg_min(uri, event_key) AS uri,
        list_sort(list(event_key)) AS event_keys
    FROM record WHERE event_id IN (81, 82, 134) AND request IN ('CreateShell', 'DeleteShell')
    GROUP BY place, activity_id, user_sid, request, time_bucket(INTERVAL 2 SECOND, event_time)
),
paired AS (
    SELECT created.event_key, min(request.event_time) AS request_time, flatten(list(request.event_keys)) AS request_keys
    FROM created JOIN request ON request.place = created.place AND request.user_sid = created.user_sid
        AND request.request = 'CreateShell'
        AND request.event_time BETWEEN created.event_time - INTERVAL 2 SECOND AND created.event_time + INTERVAL 2 SECOND
    GROUP BY ALL
),
shell AS (
    SELECT place AS computer, event_time, user_sid, account_user(user_name) AS user_name, account_domain(user_name) AS user_domain,
        client_ip, uri AS resource_uri, clean_guid(event_data->>'shellId') AS shell_id, activity_id,
        list_sort([created.event_key] || coalesce(request_keys, [])) AS event_keys
    FROM created LEFT JOIN paired USING (event_key)
    UNION ALL
    SELECT place, event_time, user_sid, NULL, NULL, NULL, uri, NULL, activity_id, event_keys
    FROM request
    WHERE request = 'CreateShell' AND NOT EXISTS (SELECT 1 FROM paired WHERE list_has_any(paired.request_keys, request.event_keys))
),
bounded AS (
    SELECT *, lead(event_time) OVER (PARTITION BY computer, user_sid ORDER BY event_time, event_keys) AS next_time FROM shell
),
ended AS (
    SELECT bounded.event_keys, min(request.event_time) AS end_time, flatten(list(request.event_keys ORDER BY request.event_time)) AS end_keys
    FROM bounded JOIN request ON request.place = bounded.computer AND request.user_sid = bounded.user_sid
        AND request.request = 'DeleteShell' AND request.activity_id = bounded.activity_id
        AND request.event_time >= bounded.event_time AND request.event_time < coalesce(bounded.next_time, TIMESTAMP '9999-01-01')
    GROUP BY ALL
)
SELECT row_number() OVER (ORDER BY event_time, computer, event_keys) AS shell_number,
    computer, event_time, user_sid, user_name, user_domain, client_ip, resource_uri, shell_id,
    CASE WHEN resource_uri IS NULL OR resource_uri ILIKE '%/powershell/Microsoft.PowerShell%' THEN 'powershell'
         WHEN resource_uri ILIKE '%/windows/shell/cmd' THEN 'winrs'
         WHEN resource_uri ILIKE '%/powershell/%' THEN 'custom endpoint'
         ELSE 'other' END AS kind,
    end_time, event_keys, coalesce(end_keys, []) AS end_keys
FROM bounded LEFT JOIN ended USING (event_keys)
ORDER BY shell_number
