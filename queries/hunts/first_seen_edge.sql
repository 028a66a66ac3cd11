-- ---
-- id = "first_seen_edge"
-- title = "Logons over a way that was never used before"
-- description = """The first time that an account logs on to a computer from a source, from a moment on: what is new since then, compared with all that the logs hold from before."""
-- [params.from_time]
-- type = "timestamp"
-- default = 2000-01-01T00:00:00
-- description = "Ways that were used before this time (UTC) are known"
-- ---
-- A short log knows few ways: look at coverage before anything is called new.
SELECT min(event_time) AS first_time, account(user_domain, user_name) AS user_name, coalesce(ip, workstation) AS source, computer,
    arg_min(logon_type_name, (event_time, event_key)) AS kind, arg_min(authentication_package, (event_time, event_key)) AS package, count(*) AS logons,
    arg_min(event_key, (event_time, event_key)) AS event_key
FROM logon
WHERE logon_type IN (3, 8, 10) AND NOT is_machine_account(user_name) AND coalesce(ip, workstation) IS NOT NULL
GROUP BY account(user_domain, user_name), coalesce(ip, workstation), computer
HAVING min(event_time) >= $from_time
ORDER BY first_time, user_name, source, computer
