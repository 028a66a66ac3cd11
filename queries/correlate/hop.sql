-- ---
-- id = "hop"
-- title = "Second hops"
-- description = """One row a hop: from within a remoting session on one host to another host, into a further remoting session, or to a
-- share or another service. Failed tries are rows as well."""
-- [columns]
-- hop_id = "in the order of time; an id within this case"
-- from_session_id = "the session it started in"
-- to_session_id = "the remoting session it became; NULL: SMB, RPC or failed"
-- source_computer = "where the first session came from; NULL: unknown"
-- via_computer = "the host in the middle"
-- to_computer = "where it went"
-- method = "explicit_credentials, credssp, unconstrained, constrained, resource_based, jea, run_as, none (failed for want of credentials), unknown"
-- user_name = "user of the first session"
-- next_user_name = "as whom it went on"
-- event_time = "of the hop"
-- is_failed = "it was refused"
-- confidence = "high: linked by process or logon id; medium: by address, account and time"
-- reason = "what the method and the link rest on"
-- event_keys = "the events it rests on"
-- ---
-- WinRM takes no delegated ticket on (Microsoft Learn, "Making the second hop in PowerShell Remoting"), SMB and RPC do: so
-- network logons at a third host count, not only further shells.
WITH inbound AS (
    SELECT session.*, coalesce(session.end_time, session.start_time + INTERVAL 1 HOUR) + INTERVAL 2 SECOND AS until_time,
        run_as.is_virtual_account, principal.impersonation_level, short_host(session.target_computer) || '$' AS machine_account
    FROM remoting_session AS session
    LEFT JOIN remoting_logon AS own ON own.core_number = session.core_number AND own.role = 'run_as'
    LEFT JOIN logon_session AS run_as ON run_as.event_keys[1] = own.logon_key
    LEFT JOIN remoting_logon AS named ON named.core_number = session.core_number AND named.role = 'principal'
    LEFT JOIN logon_session AS principal ON principal.event_keys[1] = named.logon_key
    WHERE session.core_number IS NOT NULL
),
address AS (SELECT computer, ip FROM host_address WHERE NOT is_conflicting),
-- An address is also that of the server which a client reached under it.
place AS (
    SELECT computer, ip FROM address
    UNION
    SELECT client.target_computer, connection.destination_ip
    FROM remoting_client AS client JOIN network_connection AS connection ON lower(connection.computer) = client.computer
        AND connection.destination_port IN (5985, 5986) AND connection.is_outbound
        AND short_host(connection.destination_host) = short_host(client.target_computer)
    WHERE connection.destination_ip IS NOT NULL
),
-- Into a further remoting session.
chained AS (
    SELECT inbound.session_id, outbound.session_id AS to_session_id, outbound.target_computer AS to_computer,
        outbound.user_name AS next_user, coalesce(client.event_time, outbound.start_time) AS event_time, false AS is_failed,
        coalesce(client.process_id = inbound.host_process_id, false) AS is_exact,
        CASE WHEN is_exact THEN 'the session''s process opened it' ELSE 'from the host''s address during the session' END AS link,
        NULL AS transmitted_services,
        [outbound.client_key] AS event_keys
    FROM inbound JOIN remoting_session AS outbound ON outbound.session_id <> inbound.session_id
        AND outbound.target_computer <> inbound.target_computer
        AND (outbound.source_computer = inbound.target_computer
            OR (outbound.source_computer IS NULL AND outbound.source_ip IN (SELECT ip FROM place WHERE place.computer = inbound.target_computer)))
    LEFT JOIN remoting_client AS client ON client.event_key = outbound.client_key
    WHERE coalesce(client.event_time, outbound.start_time) BETWEEN inbound.start_time AND inbound.until_time
        -- Another process of the host that opened it is somebody else's doing.
        AND (client.process_id IS NULL OR inbound.host_process_id IS NULL OR client.process_id = inbound.host_process_id)
    -- Out of one session only: of several that were open the one whose user goes on, else the last opened.
    QUALIFY row_number() OVER (
        PARTITION BY outbound.session_id
        ORDER BY is_exact DESC, lower(inbound.user_name) = lower(outbound.user_name) DESC NULLS LAST, inbound.start_time DESC,
            inbound.session_id) = 1
),
-- To a share or another service: a network logon at a third host from the address of the one in the middle.
reached AS (
    SELECT inbound.session_id, logon.computer AS to_computer, logon.user_name AS next_user, logon.start_time AS event_time,
        logon.event_keys[1] AS logon_key, logon.logon_id, logon.boot_number, logon.logon_guid, logon.transmitted_services,
        logon.user_sid = 'S-1-5-7' AS is_anonymous
    FROM inbound JOIN place ON place.computer = inbound.target_computer
    JOIN logon_session AS logon ON logon.ip = place.ip AND logon.logon_type = 3 AND logon.computer <> inbound.target_computer
        AND logon.start_time BETWEEN inbound.start_time AND inbound.until_time
        AND (lower(logon.user_name) IN (lower(inbound.user_name), lower(inbound.run_as_user_name))
            OR logon.transmitted_services IS NOT NULL
            OR logon.user_sid = 'S-1-5-7'
            OR (inbound.is_virtual_account AND lower(logon.user_name) = inbound.machine_account
                AND logon.computer NOT IN (SELECT computer FROM domain_controller)))
    WHERE logon.event_keys[1] NOT IN (SELECT logon_key FROM remoting_logon)
        -- One of the several logons of a session that the same hop opened, where nothing linked it to that session.
        AND NOT EXISTS (
            SELECT 1 FROM chained WHERE chained.session_id = inbound.session_id AND chained.to_computer = logon.computer
                AND logon.start_time BETWEEN chained.event_time - INTERVAL 2 SECOND AND chained.event_time + INTERVAL 12 SECOND)
        -- Where the user also sits at the host in the middle it is the desk that goes on, as far as anyone can tell.
        AND NOT EXISTS (
            SELECT 1 FROM logon_session AS desk WHERE desk.computer = inbound.target_computer AND desk.logon_type IN (2, 10, 11)
                AND desk.user_sid = logon.user_sid AND logon.start_time BETWEEN desk.start_time AND coalesce(desk.end_time, TIMESTAMP '9999-01-01'))
),
share AS (
    SELECT reached.logon_key, list(DISTINCT share_access.event_key) AS event_keys
    FROM reached JOIN share_access ON lower(share_access.computer) = reached.to_computer AND share_access.logon_id = reached.logon_id
        AND share_access.event_time BETWEEN reached.event_time AND reached.event_time + INTERVAL 1 HOUR
    GROUP BY ALL
),
service_ticket AS (
    SELECT reached.logon_key, list(DISTINCT ticket.event_key) AS event_keys
    FROM reached JOIN kerberos_ticket AS ticket ON ticket.logon_guid = reached.logon_guid
    GROUP BY ALL
),
shared AS (
    SELECT session_id, NULL AS to_session_id, to_computer, next_user, min(event_time) AS event_time, bool_and(is_anonymous) AS is_failed,
        false AS is_exact, 'network logon from the host''s address during the session' AS link,
        any_value(transmitted_services ORDER BY logon_key) AS transmitted_services,
        list(logon_key) || flatten(list(coalesce(share.event_keys, []))) || flatten(list(coalesce(service_ticket.event_keys, []))) AS event_keys
    FROM reached LEFT JOIN share USING (logon_key) LEFT JOIN service_ticket USING (logon_key)
    GROUP BY session_id, to_computer, next_user
),
-- Refused: WSMan errors of the session's own process.
refused AS (
    SELECT inbound.session_id, NULL AS to_session_id, coalesce(client.target_computer, client.target) AS to_computer, NULL AS next_user,
        client.event_time, true AS is_failed, client.process_id = inbound.host_process_id AS is_exact,
        'the session''s process was refused: ' || coalesce(client.error, '') AS link, NULL AS transmitted_services,
        [client.event_key] AS event_keys
    FROM inbound JOIN remoting_client AS client ON client.computer = inbound.target_computer AND client.is_failed
        AND client.process_id = inbound.host_process_id AND client.event_time BETWEEN inbound.start_time AND inbound.until_time
),
every_hop AS (FROM chained UNION ALL BY NAME FROM shared UNION ALL BY NAME FROM refused),
explicit AS (
    SELECT lower(computer) AS computer, event_key, event_time, subject_logon_id, short_host(target_server) AS target, lower(user_name) AS user_name
    FROM explicit_credential WHERE NOT is_local
),
typed AS (
    SELECT every_hop.session_id, every_hop.to_computer, every_hop.event_time, list(DISTINCT explicit.event_key) AS explicit_keys
    FROM every_hop JOIN inbound USING (session_id)
    JOIN explicit ON explicit.computer = inbound.target_computer AND explicit.subject_logon_id = inbound.target_logon_id
        AND explicit.target = short_host(every_hop.to_computer) AND explicit.user_name = lower(every_hop.next_user)
        AND explicit.event_time BETWEEN every_hop.event_time - INTERVAL 10 SECOND AND every_hop.event_time + INTERVAL 60 SECOND
    GROUP BY ALL
),
-- The password is at the host in the middle: a TGT for the user was granted there, who sits elsewhere.
password AS (
    SELECT inbound.session_id, lower(ticket.user_name) AS user_name, list_sort(list(ticket.event_key)) AS ticket_keys
    FROM inbound JOIN place ON place.computer = inbound.target_computer
    JOIN kerberos_ticket AS ticket ON ticket.kind = 'TGT' AND ticket.is_success AND ticket.ip = place.ip
        AND ticket.event_time BETWEEN inbound.start_time AND inbound.until_time
        AND lower(ticket.user_name) IN (lower(inbound.user_name), lower(inbound.run_as_user_name))
    GROUP BY ALL
),
written AS (
    SELECT lower(regexp_extract(event_data->>'ObjectDN', '^CN=([^,]+)', 1)) AS short_name, event_key, event_time
    FROM counted_event WHERE event_id = 5136 AND provider = 'Microsoft-Windows-Security-Auditing'
        AND event_data->>'AttributeLDAPDisplayName' = 'msDS-AllowedToActOnBehalfOfOtherIdentity'
),
trusted AS (
    SELECT every_hop.session_id, every_hop.to_computer, every_hop.event_time, list(DISTINCT written.event_key) AS written_keys
    FROM every_hop JOIN written ON written.short_name = short_host(every_hop.to_computer) AND written.event_time <= every_hop.event_time
    GROUP BY ALL
),
judged AS (
    SELECT every_hop.*, inbound.source_computer, inbound.target_computer AS via_computer, inbound.user_name,
        explicit_keys, ticket_keys, written_keys,
        CASE
            WHEN every_hop.is_failed THEN 'none'
            WHEN explicit_keys IS NOT NULL THEN 'explicit_credentials'
            WHEN every_hop.transmitted_services IS NOT NULL AND written_keys IS NOT NULL THEN 'resource_based'
            WHEN every_hop.transmitted_services IS NOT NULL THEN 'constrained'
            WHEN inbound.is_virtual_account THEN 'jea'
            WHEN inbound.run_as_user_name IS NOT NULL THEN 'run_as'
            WHEN inbound.logon_type = 8 THEN 'credssp'
            WHEN inbound.impersonation_level = 'delegation'
                AND inbound.target_computer NOT IN (SELECT computer FROM domain_controller) THEN 'unconstrained'
            -- Credentials can be typed without a 4648 in the logs: another account goes on, and nothing above explains it.
            WHEN lower(every_hop.next_user) <> lower(inbound.user_name) THEN 'explicit_credentials'
            WHEN ticket_keys IS NOT NULL THEN 'credssp'
            ELSE 'unknown' END AS method
    FROM every_hop JOIN inbound USING (session_id)
    LEFT JOIN typed USING (session_id, to_computer, event_time)
    LEFT JOIN trusted USING (session_id, to_computer, event_time)
    LEFT JOIN password ON password.session_id = every_hop.session_id
        AND password.user_name = lower(coalesce(every_hop.next_user, inbound.user_name))
)
SELECT row_number() OVER (ORDER BY event_time, session_id, to_computer, next_user) AS hop_id,
    session_id AS from_session_id, to_session_id, source_computer, via_computer, to_computer, method, user_name,
    CASE WHEN is_failed THEN user_name ELSE coalesce(next_user, user_name) END AS next_user_name,
    event_time, is_failed,
    CASE WHEN is_exact OR explicit_keys IS NOT NULL THEN 'high' ELSE 'medium' END AS confidence,
    link || CASE method
        WHEN 'explicit_credentials' THEN CASE WHEN explicit_keys IS NULL THEN '; another account goes on'
            ELSE '; 4648 within the session''s logon' END
        WHEN 'resource_based' THEN '; S4U ticket, and the target was made to trust the service (5136)'
        WHEN 'constrained' THEN '; S4U ticket'
        WHEN 'jea' THEN '; the session runs as a virtual account'
        WHEN 'run_as' THEN '; the session runs as another account, whose password the endpoint keeps'
        WHEN 'credssp' THEN CASE WHEN ticket_keys IS NULL THEN '; the session''s logon is of type 8' ELSE '; a TGT was granted at the host' END
        WHEN 'unconstrained' THEN '; the session''s logon has a delegated ticket'
        ELSE '' END AS reason,
    list_sort(list_distinct(list_filter(
        event_keys || coalesce(explicit_keys, []) || CASE WHEN method IN ('credssp', 'run_as') THEN coalesce(ticket_keys, []) ELSE [] END
            || CASE WHEN method = 'resource_based' THEN written_keys ELSE [] END, lambda key: key IS NOT NULL))) AS event_keys
FROM judged
ORDER BY hop_id
