-- ---
-- id = "remoting_session_seen"
-- title = "Remoting session"
-- level = "informational"
-- other_levels = ["medium"]  # right after failed logons of the same account
-- attack = ["T1021.006"]
-- description = """A remoting session that two or more kinds of records agree on (logon with its privileges, shell, host process, engine, client):
-- who, from where, how long. A row of the timeline; medium where wrong passwords of the same account came before it. What it rests on is in
-- remoting_witness."""
-- false_positives = ["Every administration by remoting", "Somebody who mistyped the password before"]
-- references = ["https://attack.mitre.org/techniques/T1021/006/"]
-- requires = [{channel = "Security", event_id = [4624, 4672, 4688]}, {channel = "Microsoft-Windows-WinRM/Operational", event_id = [6, 91]},
--     {channel = "Windows PowerShell", event_id = [400]}, {channel = "Microsoft-Windows-Sysmon/Operational", event_id = [1]}]
-- [params.min_witnesses]
-- type = "integer"
-- default = 2
-- description = "Kinds of records that agree at least; one alone may be something else"
-- [params.min_failures]
-- type = "integer"
-- default = 3
-- description = "Failed logons before it that make it medium; a person mistypes once or twice"
-- [params.failure_minutes]
-- type = "integer"
-- default = 15
-- description = "How long before the session they count"
-- ---
WITH witnessed AS (
    SELECT session.*, place.host, coalesce(place.written_name, session.target_computer) AS computer,
        (SELECT list_sort(list(DISTINCT event_key)) FROM remoting_witness AS witness
         WHERE witness.session_id = session.session_id AND role IN ('client_session', 'logon', 'shell', 'host_process', 'engine_start')) AS witness_keys
    FROM remoting_session AS session LEFT JOIN computer_name AS place ON place.computer = session.target_computer
    WHERE witness_count >= $min_witnesses
),
failed AS (
    SELECT session_id, list(failure.event_key) AS failure_keys
    FROM witnessed JOIN failed_attempt AS failure ON failure.account_key = lower(witnessed.user_name)
        AND failure.event_time BETWEEN start_time - to_minutes($failure_minutes) AND start_time
        AND (failure.source = source_ip OR lower(failure.workstation) = short_host(source_computer) OR lower(failure.computer) = target_computer)
    GROUP BY session_id HAVING count(*) >= $min_failures
)
SELECT start_time AS event_time, host, computer, account(user_domain, user_name) AS user_name,
    coalesce(account(user_domain, user_name), 'Somebody') || ' had a ' || replace(replace(kind, 'powershell', 'PowerShell'), 'other', 'WSMan') || ' session on ' || computer
        || coalesce(' from ' || coalesce(source_computer, source_ip), '') || coalesce(' by ' || authentication_package, '') || coalesce(', running as ' || run_as_user_name, '')
        || CASE WHEN end_time IS NULL THEN ' from ' || show_time(start_time) || ' on (end not seen)' ELSE ' ' || show_span(start_time, end_time) END
        || ' (session ' || session_id || '; confidence ' || confidence || ': ' || reason || ')'
        || CASE WHEN failure_keys IS NOT NULL THEN '; before it the account failed to log on ' || counted(len(failure_keys), 'time') ELSE '' END AS summary,
    list_sort(coalesce(witness_keys, []) || coalesce(failure_keys, [])) AS evidence, session_id, confidence,
    CASE WHEN failure_keys IS NOT NULL THEN 'medium' END AS level
FROM witnessed LEFT JOIN failed USING (session_id)
ORDER BY event_time, session_id
