-- ---
-- id = "winrm_authentication_series"
-- title = "WinRM authentications of one user by one mechanism"
-- description = """WinRM 169 and the 193 that follows, in series: a new one begins after an hour without."""
-- ---
-- WinRM authenticates each connection, one session leaves several. 193 follows on the same activity id within seconds;
-- activity ids are used again later, so the id alone is not enough.
WITH authentication AS (
    SELECT a.*, z.event_key AS authorized_key
    FROM winrm AS a
    LEFT JOIN winrm AS z ON z.event_id = 193 AND z.computer = a.computer AND z.activity_id = a.activity_id
        AND z.event_time BETWEEN a.event_time AND a.event_time + INTERVAL 5 SECONDS
    WHERE a.event_id = 169
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, 60)) OVER (
        PARTITION BY computer, user_name, authentication_mechanism ORDER BY event_time, event_key) AS island
    FROM (SELECT *, lag(event_time) OVER (PARTITION BY computer, user_name, authentication_mechanism ORDER BY event_time, event_key) AS previous
          FROM authentication)
)
SELECT computer, arg_min(host, event_key) AS host,
    coalesce(user_name, 'an unnamed user') AS user_name,
    coalesce(authentication_mechanism, 'an unnamed mechanism') AS mechanism,
    min(event_time) AS first_time, max(event_time) AS last_time,
    count(DISTINCT event_key) AS authentications, count(DISTINCT authorized_key) AS authorizations,
    list_sort(list_distinct(list(event_key) || coalesce(list(authorized_key) FILTER (authorized_key IS NOT NULL), []))) AS event_keys
FROM numbered
GROUP BY computer, user_name, authentication_mechanism, island
