-- ---
-- id = "logon_failure_burst"
-- title = "Burst of failed logons from one source"
-- level = "medium"
-- other_levels = ["high"]  # a success of a guessed account follows
-- attack = ["T1110.001"]
-- description = """Many wrong passwords for one account from one source in a short time: guessing. One finding a burst,
-- with all its failures; a success of a guessed account from that source is told and cited."""
-- false_positives = ["Service or scheduled task with an old password", "Device with a stored old password"]
-- references = ["https://learn.microsoft.com/windows/security/threat-protection/auditing/event-4625"]
-- requires = [{channel = "Security", event_id = [4625, 4771, 4776, 4624]}]
-- [params.min_failures]
-- type = "integer"
-- default = 10
-- description = "Failures of one account within the window"
-- [params.window_minutes]
-- type = "integer"
-- default = 5
-- description = "Length of the sliding window; a burst ends when nothing fails for as long"
-- [params.success_minutes]
-- type = "integer"
-- default = 15
-- description = "How long after the last failure a success still belongs to the burst"
-- ---
-- 10 in 5 minutes: above a user's typing errors and the usual lockout limits, below a slow guesser; raise it where
-- services keep old passwords. 15 minutes: tools log on at once, people within a coffee.
-- Who failed less often altogether need not be looked at more closely.
WITH often AS (SELECT computer, source, account_key FROM failed_attempt GROUP BY ALL HAVING count(*) >= $min_failures),
counted_ahead AS (
    SELECT event_key, event_time, computer, source, account_key, count(*) OVER (PARTITION BY computer, source, account_key ORDER BY event_time
        RANGE BETWEEN CURRENT ROW AND to_minutes($window_minutes) FOLLOWING) AS failures_ahead
    FROM failed_attempt SEMI JOIN often USING (computer, source, account_key)
),
dense AS (
    SELECT * FROM counted_ahead
    QUALIFY in_full_window(event_time, failures_ahead, $min_failures, $window_minutes, computer, source, account_key)
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $window_minutes)) OVER (PARTITION BY computer, source ORDER BY event_time, event_key) AS island
    FROM (SELECT *, lag(event_time) OVER (PARTITION BY computer, source ORDER BY event_time, event_key) AS previous FROM dense)
),
burst AS (
    SELECT computer, source, island, min(event_time) AS first_time, max(event_time) AS last_time, list(DISTINCT account_key) AS account_keys
    FROM numbered
    GROUP BY ALL
),
-- All that failed from the source in the burst's time: tools probe with an invented name first.
failure AS (
    SELECT b.*, count(*) AS failures, any_value(f.host ORDER BY f.event_key) AS host, list(f.event_key) AS failure_keys,
        list(DISTINCT f.user_name) AS names, list(DISTINCT f.reason) AS reasons
    FROM burst AS b
    JOIN failed_attempt AS f ON f.computer = b.computer AND f.source = b.source
        AND f.event_time BETWEEN b.first_time - to_minutes(1) AND b.last_time
    GROUP BY ALL
),
success AS (
    SELECT b.computer, b.source, b.island, min(s.event_time) AS success_time, list(s.event_key) AS success_keys, list(s.user_name) AS success_names
    FROM burst AS b
    JOIN successful_attempt AS s ON s.source = b.source AND list_contains(b.account_keys, s.account_key)
        AND s.event_time BETWEEN b.first_time AND b.last_time + to_minutes($success_minutes)
    GROUP BY ALL
)
SELECT first_time AS event_time, host, computer, name_list(names, 3) AS user_name,
    counted(failures, 'failed logon') || ' on ' || coalesce(computer, 'an unnamed computer') || ' as ' || name_list(names, 3)
        || ' from ' || source || ' ' || show_span(first_time, last_time) || ' (' || name_list(reasons, 3) || '); '
        || CASE WHEN success_time IS NULL THEN 'no success from there is logged within ' || counted($success_minutes, 'minute') || ' after'
                ELSE 'then SUCCESS: ' || name_list(success_names, 3) || ' logged on from there at ' || show_time(success_time) END AS summary,
    list_sort(failure_keys || coalesce(success_keys, [])) AS evidence,
    source, failures, last_time, success_time IS NOT NULL AS is_success_after, CASE WHEN success_time IS NOT NULL THEN 'high' END AS level
FROM failure LEFT JOIN success USING (computer, source, island)
ORDER BY first_time, computer, source
