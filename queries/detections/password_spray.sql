-- ---
-- id = "password_spray"
-- title = "Password spraying: few tries at many accounts"
-- level = "high"
-- attack = ["T1110.003"]
-- description = """One source fails at many different accounts with few tries each, seen where the passwords are checked
-- (4625, 4771, 4776), or one user tries many other accounts' passwords, seen where the tool runs (4648)."""
-- false_positives = ["Vulnerability scanners", "Web proxies, gateways and terminal servers behind whose address many users sit"]
-- references = ["https://learn.microsoft.com/windows/security/threat-protection/auditing/event-4648"]
-- requires = [{channel = "Security", event_id = [4625, 4771, 4776, 4648, 4624]}]
-- [params.min_accounts]
-- type = "integer"
-- default = 8
-- description = "Different accounts within the window"
-- [params.max_tries]
-- type = "integer"
-- default = 9
-- description = "Accounts that fail more often around a moment are left to logon_failure_burst"
-- [params.window_minutes]
-- type = "integer"
-- default = 10
-- description = "Length of the sliding window; a spray ends when nothing fails for as long"
-- [params.success_minutes]
-- type = "integer"
-- default = 15
-- description = "How long after the last failure logons from the source are told"
-- ---
-- 8 accounts in 10 minutes: a shared address rarely has so many people failing at once; lower it for slow sprays.
-- 9 tries: below the 10 of logon_failure_burst, so that guessing one account and spraying are two findings.
WITH attempt AS (
    SELECT event_key, event_time, host, computer, account_key, user_name, source, false AS is_explicit FROM failed_attempt
    UNION ALL
    SELECT event_key, event_time, host, computer, lower(user_name), user_name,
        account(subject_user_domain, subject_user_name) || coalesce(' by ' || process_name, ''), true
    FROM explicit_credential
    WHERE NOT is_machine_account(subject_user_name)
),
-- A source that never tried so many accounts, whenever, need not be looked at more closely.
wide AS (SELECT computer, source FROM attempt GROUP BY ALL HAVING count(DISTINCT account_key) >= $min_accounts),
few_tries AS (
    SELECT attempt.* FROM attempt SEMI JOIN wide ON wide.computer IS NOT DISTINCT FROM attempt.computer AND wide.source = attempt.source
    QUALIFY is_explicit OR count(*) OVER (PARTITION BY computer, source, account_key ORDER BY event_time
        RANGE BETWEEN to_minutes($window_minutes) PRECEDING AND to_minutes($window_minutes) FOLLOWING) <= $max_tries
),
counted_ahead AS (
    SELECT *, count(DISTINCT account_key) OVER (PARTITION BY computer, source ORDER BY event_time
        RANGE BETWEEN CURRENT ROW AND to_minutes($window_minutes) FOLLOWING) AS accounts_ahead
    FROM few_tries
),
dense AS (
    SELECT * FROM counted_ahead
    QUALIFY in_full_window(event_time, accounts_ahead, $min_accounts, $window_minutes, computer, source, NULL)
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $window_minutes)) OVER (PARTITION BY computer, source ORDER BY event_time, event_key) AS island
    FROM (SELECT *, lag(event_time) OVER (PARTITION BY computer, source ORDER BY event_time, event_key) AS previous FROM dense)
),
spray AS (
    SELECT computer, source, island, is_explicit, min(event_time) AS first_time, max(event_time) AS last_time,
        any_value(host ORDER BY event_key) AS host, count(*) AS attempts, count(DISTINCT account_key) AS accounts,
        list(DISTINCT user_name) AS names, list(event_key) AS attempt_keys
    FROM numbered
    GROUP BY ALL
),
success AS (
    SELECT p.computer, p.source, p.island, list(s.event_key) AS success_keys, list(s.user_name) AS success_names
    FROM spray AS p
    JOIN successful_attempt AS s ON s.source = p.source
        AND s.event_time BETWEEN p.first_time AND p.last_time + to_minutes($success_minutes)
    GROUP BY ALL
)
SELECT first_time AS event_time, host, computer, CASE WHEN is_explicit THEN source ELSE name_list(names, 3) END AS user_name,
    CASE WHEN is_explicit THEN source || ' used passwords of ' || accounts || ' accounts on '
         ELSE accounts || ' accounts failed to log on from ' || source || ' on ' END
        || coalesce(computer, 'an unnamed computer') || ' ' || show_span(first_time, last_time) || ', ' || counted(attempts, 'attempt')
        || ' in all: ' || name_list(names, 5)
        || CASE WHEN success_names IS NOT NULL THEN '; logged on from there meanwhile or within ' || counted($success_minutes, 'minute')
                || ' after: ' || name_list(success_names, 5)
                WHEN is_explicit THEN '; 4648 does not tell which of them succeeded' ELSE '; nobody logged on from there' END AS summary,
    list_sort(attempt_keys || coalesce(success_keys, [])) AS evidence,
    source, accounts, attempts, last_time
FROM spray LEFT JOIN success USING (computer, source, island)
ORDER BY first_time, computer, source
