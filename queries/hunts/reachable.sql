-- ---
-- id = "reachable"
-- title = "Everything that was reached from a host or by an account"
-- description = """From one host, or from the hosts that an account sat at or opened sessions from: every computer that was reached by remoting
-- sessions and hops one after the other in time, with the way there. What could have been reached is more than what was."""
-- [params.host]
-- type = "string"
-- default = ""
-- description = "Where it begins: short name, name or address"
-- [params.user]
-- type = "string"
-- default = ""
-- description = "Who begins: an account without domain"
-- [params.from_time]
-- type = "timestamp"
-- default = 0001-01-01T00:00:00
-- description = "Only from this time on, UTC"
-- ---
-- An edge is a session or a hop; a way goes on where one ends, at a later time, whoever goes on: what an intruder left on a
-- host serves any account there. account_changes tells how often it was another one.
WITH RECURSIVE edge AS (
    SELECT coalesce(source_computer, source_ip) AS from_computer, target_computer AS to_computer, start_time AS event_time,
        lower(coalesce(user_name, source_user_name)) AS user_name, 'session ' || session_id AS name,
        source_ip, lower(source_user_name) AS source_user_name
    FROM remoting_session WHERE target_computer IS NOT NULL
    UNION ALL
    SELECT via_computer, to_computer, event_time, lower(next_user_name), 'hop ' || hop_id, NULL, lower(user_name)
    FROM hop WHERE NOT is_failed AND to_session_id IS NULL
),
first_edge AS (
    SELECT * FROM edge
    WHERE event_time >= $from_time AND ($host <> '' OR $user <> '')
        AND ($host = '' OR lower(from_computer) = lower($host) OR short_host(from_computer) = lower($host) OR source_ip = $host)
        AND ($user = '' OR user_name = lower($user) OR source_user_name = lower($user))
),
way AS (
    SELECT [from_computer, to_computer] AS computers, [name] AS steps, user_name, 0 AS account_changes, event_time AS start_time, event_time
    FROM first_edge
    UNION ALL
    SELECT computers || [edge.to_computer], steps || [edge.name], edge.user_name,
        account_changes + (edge.user_name IS DISTINCT FROM way.user_name)::INTEGER, start_time, edge.event_time
    FROM way JOIN edge ON edge.from_computer = way.computers[-1] AND edge.event_time >= way.event_time
    WHERE NOT list_contains(computers, edge.to_computer) AND len(computers) < 16
)
-- Of several ways to a computer the earliest, then the shortest.
SELECT computers[-1] AS computer, event_time AS reached_time, len(steps) AS steps, array_to_string(computers, ' > ') AS way,
    array_to_string(steps, ', ') AS by, user_name AS arrives_as, account_changes
FROM way
QUALIFY row_number() OVER (PARTITION BY computers[-1] ORDER BY event_time, len(steps), steps) = 1
ORDER BY reached_time, computer
