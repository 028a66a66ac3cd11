-- ---
-- id = "remoting_client"
-- title = "Clients of remoting sessions"
-- description = """One row a WSMan session that a host opened to another (WinRM 6), with the remoting session on the target that it
-- became, if one was logged there."""
-- [columns]
-- event_key = "the WinRM 6"
-- computer = "the source, lower case"
-- event_time = "on the source's clock"
-- user_sid = "the local user who connected, not the one whose credentials were used"
-- process_id = "the process that connected, such as powershell.exe, or wsmprovhost.exe for a second hop"
-- activity_id = "joins the client's further events"
-- target = "host as the client called it: name or address, lower case"
-- target_computer = "computer of the case with that name or address; NULL: none"
-- error = "error of the same activity (142, 161), if it failed"
-- is_failed = "it failed"
-- core_number = "row of remoting_core; NULL: no session of it is in the target's logs"
-- rule = "shell id: 11 here and 91 there name the same shell; name: within 30 s; name, other clock: the only one within 5 minutes; address: the source's address is the session's"
-- ---
-- localhost:47001 and the host itself are the local WSMan provider, not remoting.
WITH opened AS (
    SELECT event_key, lower(computer) AS computer, event_time, user_sid, process_id, activity_id, connected_host AS target,
        regexp_matches(connected_host, '^[0-9.]+$|:') AS is_address
    FROM winrm
    WHERE event_id = 6 AND connected_host IS NOT NULL
        AND connected_host NOT IN ('localhost', '127.0.0.1', '[::1]', lower(computer), short_host(computer))
),
failed AS (
    SELECT lower(computer) AS computer, activity_id, user_sid, min(event_time) AS event_time,
        string_agg(error, '; ' ORDER BY event_time, event_key) AS error
    FROM winrm WHERE event_id IN (142, 161, 162, 163, 164, 138, 139) GROUP BY ALL
),
client AS (
    SELECT opened.*, failed.error, failed.event_time IS NOT NULL AS is_failed
    FROM opened LEFT JOIN failed ON failed.computer = opened.computer AND failed.activity_id = opened.activity_id
        AND failed.event_time BETWEEN opened.event_time AND opened.event_time + INTERVAL 2 MINUTE
    QUALIFY row_number() OVER (PARTITION BY opened.event_key ORDER BY failed.event_time) = 1
),
shell_id AS (
    SELECT lower(computer) AS computer, activity_id, min(clean_guid(event_data->>'shellId')) AS shell_id
    FROM winrm WHERE event_id = 11 AND activity_id IS NOT NULL GROUP BY ALL
),
address AS (SELECT computer, short_name, ip FROM host_address),
known_computer AS (SELECT computer, short_host(computer) AS short_name FROM computer_name),
core AS (
    SELECT core.core_number, core.computer, core.event_time, shell.shell_id, coalesce(shell.client_ip, logon.ip) AS ip
    FROM remoting_core AS core
    LEFT JOIN remoting_shell AS shell USING (shell_number)
    LEFT JOIN remoting_logon ON remoting_logon.core_number = core.core_number AND remoting_logon.role = 'principal'
    LEFT JOIN logon_session AS logon ON logon.event_keys[1] = remoting_logon.logon_key
),
candidate AS (
    SELECT client.event_key, core.core_number, epoch_ms(core.event_time) - epoch_ms(client.event_time) AS delay,
        CASE WHEN delay BETWEEN -2000 AND 30000 THEN abs(delay) ELSE 1000000 + abs(delay) END AS distance,
        CASE WHEN client.is_address THEN 'address' WHEN delay BETWEEN -2000 AND 30000 THEN 'name' ELSE 'name, other clock' END AS rule
    FROM client JOIN core ON core.computer <> client.computer
        AND core.event_time BETWEEN client.event_time - INTERVAL 5 MINUTE AND client.event_time + INTERVAL 5 MINUTE
        AND CASE WHEN client.is_address
            -- The target's own address may be in no log. The source's must be known then, and be the session's.
            THEN client.target IN (SELECT ip FROM address WHERE address.computer = core.computer)
                OR (client.target NOT IN (SELECT ip FROM address)
                    AND core.ip IN (SELECT ip FROM address WHERE address.computer = client.computer))
            ELSE short_host(client.target) = short_host(core.computer) END
    WHERE NOT client.is_failed
        -- Where both addresses are known they must agree.
        AND (core.ip IS NULL OR client.computer NOT IN (SELECT computer FROM address)
            OR core.ip IN (SELECT ip FROM address WHERE address.computer = client.computer))
),
exact AS (
    SELECT client.event_key, core.core_number, 'shell id' AS rule
    FROM client JOIN shell_id USING (computer, activity_id) JOIN core ON core.shell_id = shell_id.shell_id
    QUALIFY row_number() OVER (PARTITION BY client.event_key ORDER BY core.core_number) = 1
        AND row_number() OVER (PARTITION BY core.core_number ORDER BY client.event_key) = 1
),
nearest AS (
    SELECT event_key, core_number, rule FROM candidate
    WHERE event_key NOT IN (SELECT event_key FROM exact) AND core_number NOT IN (SELECT core_number FROM exact)
    QUALIFY row_number() OVER (PARTITION BY event_key ORDER BY distance, core_number) = 1
        AND row_number() OVER (PARTITION BY core_number ORDER BY distance, event_key) = 1
),
-- Of two sessions opened within a second each may be the other's nearest: what is left gets a second chance.
left_over AS (
    SELECT event_key, core_number, rule FROM candidate
    WHERE event_key NOT IN (SELECT event_key FROM exact UNION ALL SELECT event_key FROM nearest)
        AND core_number NOT IN (SELECT core_number FROM exact UNION ALL SELECT core_number FROM nearest)
    QUALIFY row_number() OVER (PARTITION BY event_key ORDER BY distance, core_number) = 1
        AND row_number() OVER (PARTITION BY core_number ORDER BY distance, event_key) = 1
),
linked AS (FROM exact UNION ALL FROM nearest UNION ALL FROM left_over)
SELECT client.event_key, client.computer, client.event_time, client.user_sid, client.process_id, client.activity_id, client.target,
    (SELECT min(computer) FROM (
        SELECT computer FROM known_computer WHERE NOT client.is_address AND short_name = short_host(client.target)
        UNION ALL SELECT computer FROM address WHERE client.is_address AND ip = client.target)) AS target_computer,
    client.error, client.is_failed, linked.core_number, linked.rule
FROM client LEFT JOIN linked USING (event_key)
ORDER BY client.event_time, client.event_key
