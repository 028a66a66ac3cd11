-- ---
-- id = "second_hop_failed"
-- title = "Second hop refused"
-- level = "low"
-- attack = ["T1021.006"]
-- description = """From within a remoting session somebody tried a third computer and was refused, for want of credentials to delegate: the
-- default of Kerberos and NTLM. Harmless in itself; it tells where somebody wanted to go."""
-- false_positives = ["Scripts that were not written for remoting"]
-- references = ["https://learn.microsoft.com/powershell/scripting/security/remoting/ps-remoting-second-hop"]
-- requires = [{channel = "Microsoft-Windows-WinRM/Operational", event_id = [142, 161]},
--     {channel = "Security", event_id = [4624]}]
-- ---
WITH refused AS (
    SELECT hop.hop_id, hop.event_time, hop.user_name, via_computer, to_computer, from_session_id, unnest(event_keys) AS event_key
    FROM hop WHERE is_failed
),
-- The hop cites the request (6); what came of it has the request's activity id, or at least its process and second.
answered AS (
    FROM refused
    UNION
    SELECT refused.* REPLACE (answer.event_key AS event_key)
    FROM refused JOIN winrm AS request USING (event_key)
    JOIN winrm AS answer ON answer.computer = request.computer AND answer.process_id = request.process_id
        AND answer.event_id IN (142, 161, 162, 163, 164)
        AND (answer.activity_id = request.activity_id
            OR answer.event_time BETWEEN request.event_time AND request.event_time + INTERVAL 10 SECOND)
)
SELECT min(event.event_time) AS event_time, arg_min(event.host, event_key) AS host, arg_min(event.computer, event_key) AS computer,
    arg_min(answered.user_name, event_key) AS user_name,
    coalesce(arg_min(answered.user_name, event_key), 'Somebody') || ' was refused on the way from ' || via_computer || ' to '
        || coalesce(arg_min(to_computer, event_key), 'another computer') || ' within session ' || from_session_id
        || ', as ' || coalesce(arg_min(event.computer, event_key), 'an unnamed computer') || ' tells' AS summary,
    list_sort(list(DISTINCT event_key)) AS evidence, from_session_id
FROM answered JOIN counted_event AS event USING (event_key)
GROUP BY from_session_id, via_computer, lower(event.computer)
ORDER BY event_time, evidence
