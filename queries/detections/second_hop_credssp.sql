-- ---
-- id = "second_hop_credssp"
-- title = "CredSSP used: the password was left on a server"
-- level = "high"
-- attack = ["T1021.006", "T1003"]
-- description = """A remoting session was authenticated by CredSSP (4624 of type 8), or the password was at the server during the session: a
-- TGT of its user was granted there, although the user was not logged on there otherwise. Whoever rules that server has the password."""
-- false_positives = ["Farms that are set up for CredSSP on purpose", "A desktop, service or task of the same user on that server whose logon is in no log"]
-- references = ["https://learn.microsoft.com/powershell/scripting/security/remoting/ps-remoting-second-hop"]
-- requires = [{channel = "Security", event_id = [4624, 4768]}]
-- [params.minutes_open]
-- type = "integer"
-- default = 60
-- description = "How long a session whose end is in no log is taken to have lasted"
-- ---
-- Type 8 of a remoting session is CredSSP or Basic; Basic is unencrypted or over HTTPS, and hands the password over too.
WITH used AS (
    SELECT session.session_id, session.target_computer, session.user_name, session.start_time AS event_time, unnest(logon.event_keys[1:1]) AS event_key
    FROM remoting_session AS session JOIN remoting_logon USING (core_number)
    JOIN logon_session AS logon ON logon.event_keys[1] = remoting_logon.logon_key
    WHERE logon.logon_type = 8 AND logon.source = '4624' AND role <> 'run_as'
    UNION
    SELECT from_session_id, via_computer, hop.user_name, session.start_time, event_key
    FROM (SELECT *, unnest(event_keys) AS event_key FROM hop WHERE method = 'credssp' AND NOT is_failed) AS hop
    JOIN remoting_session AS session ON session.session_id = hop.from_session_id
    JOIN kerberos_ticket AS ticket USING (event_key)
    WHERE ticket.kind = 'TGT'
    UNION
    -- Kerberos needs the password, or its hash, for a TGT; a session without delegated credentials has none of them.
    SELECT session_id, target_computer, session.user_name, session.start_time, ticket.event_key
    FROM remoting_session AS session JOIN host_address AS place ON place.computer = session.target_computer AND NOT place.is_conflicting
    JOIN kerberos_ticket AS ticket ON ticket.kind = 'TGT' AND ticket.is_success AND ticket.ip = place.ip
        AND lower(ticket.user_name) = lower(session.user_name)
        AND ticket.event_time BETWEEN session.start_time AND coalesce(session.end_time, session.start_time + to_minutes($minutes_open))
    WHERE NOT EXISTS (FROM logon_session AS other WHERE other.computer = session.target_computer
        AND lower(other.user_name) = lower(session.user_name) AND other.logon_type IN (2, 4, 5, 7, 10, 11)
        AND ticket.event_time BETWEEN other.start_time - INTERVAL 5 SECOND AND coalesce(other.end_time, TIMESTAMP '9999-01-01'))
        -- Typed within the session, which second_hop_explicit_credentials tells.
        AND NOT EXISTS (FROM hop WHERE from_session_id = session_id AND method = 'explicit_credentials'
            AND lower(next_user_name) = lower(session.user_name))
)
SELECT event_time, place.host, place.written_name AS computer, user_name,
    coalesce(user_name, 'Somebody') || '''s password was handed to ' || target_computer || ' by session ' || session_id
        || ': whoever rules that computer has it' AS summary,
    list_sort(list(event_key)) AS evidence, session_id
FROM used LEFT JOIN computer_name AS place ON place.computer = target_computer
GROUP BY session_id, target_computer, user_name, event_time, place.host, place.written_name
ORDER BY event_time, session_id
