-- ---
-- id = "winrm_connection"
-- title = "Connection to WinRM"
-- level = "informational"
-- other_levels = ["medium", "high"]  # from or to a strange network; to a program that is not WinRM
-- attack = ["T1021.006"]
-- description = """A network connection to port 5985 or 5986 (Sysmon 3, 5156): who talked WinRM to whom. Medium if the other end is a public address
-- outside the networks of the case's computers. High if a program of its own waits on the port of this computer, as RogueWinRM does to
-- catch the system's ticket, over the loopback address too."""
-- false_positives = ["Every administration by WinRM is a row of the timeline", "Computers with public addresses that are not in the case"]
-- references = ["https://attack.mitre.org/techniques/T1021/006/", "https://github.com/antonioCoco/RogueWinRM"]
-- requires = [{channel = "Microsoft-Windows-Sysmon/Operational", event_id = [3]}, {channel = "Security", event_id = [5156]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 60
-- description = "Connections between the same two ends this close together are one row: a session opens several"
-- [params.own_networks]
-- type = "string"
-- default = "^$"
-- description = "Further addresses that are never strange (regular expression), such as your own public ranges; private ones never are"
-- ---
-- http.sys accepts for WinRM, so the program is System (4); Sysmon names svchost.exe on some builds.
WITH every_connection AS MATERIALIZED (FROM network_connection),
connection AS (
    SELECT *, NOT is_outbound AND file_name(image) NOT IN ('system', 'svchost.exe', '') AS is_foreign_listener,
        coalesce(destination_port IN (5985, 5986), false) AS is_to_port
    FROM every_connection
    -- 5156 of an inbound connection has the two ends the other way round on some builds.
    WHERE destination_port IN (5985, 5986) OR (event_id = 5156 AND NOT is_outbound AND source_port IN (5985, 5986))
),
directed AS (SELECT *, CASE WHEN is_outbound OR NOT is_to_port THEN destination_ip ELSE source_ip END AS other_ip FROM connection),
chosen AS (
    SELECT *, coalesce(is_foreign_listener, false) AS is_rogue, lag(event_time) OVER one AS previous
    FROM directed
    WHERE coalesce(is_foreign_listener, false) OR NOT is_loopback(other_ip)
    WINDOW one AS (PARTITION BY computer, other_ip, is_outbound, image ORDER BY event_time, event_key)
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer, other_ip, is_outbound, image ORDER BY event_time, event_key) AS island FROM chosen
),
bout AS (
    SELECT computer, other_ip, is_outbound, image, is_rogue, island, arg_min(host, event_key) AS host, min(event_time) AS event_time, max(event_time) AS last_time,
        arg_min(user_name, event_key) AS user_name, list(CASE WHEN is_to_port THEN destination_port ELSE source_port END::VARCHAR) AS ports, count(*) AS connections, list_sort(list(event_key)) AS evidence,
        -- The neighbours of the case's own computers are no strangers.
        NOT is_private_ip(other_ip) AND NOT regexp_matches(other_ip, $own_networks)
            AND neighbourhood(other_ip) NOT IN (SELECT neighbourhood(ip) FROM host_address) AS is_strange
    FROM numbered GROUP BY ALL
)
SELECT event_time, host, computer, user_name,
    CASE WHEN is_rogue THEN image || ' accepts connections on WinRM''s port ' || name_list(ports, 2) || ' of ' || coalesce(computer, 'an unnamed computer') || ', from '
         WHEN is_outbound THEN coalesce(image, 'A program') || ' on ' || coalesce(computer, 'an unnamed computer') || ' connected to WinRM (' || name_list(ports, 2) || ') of '
         ELSE coalesce(computer, 'An unnamed computer') || ' was reached on WinRM''s port ' || name_list(ports, 2) || ' from ' END
        || coalesce(other_ip, 'an unlogged address') || CASE WHEN is_strange THEN ', which is no network of this case' ELSE '' END
        || ', ' || counted(connections, 'time') || ' ' || show_span(event_time, last_time) AS summary,
    evidence, other_ip, is_outbound, image, CASE WHEN is_rogue THEN 'high' WHEN is_strange THEN 'medium' END AS level
FROM bout
ORDER BY event_time, evidence
