-- ---
-- id = "logon_matrix"
-- title = "Who logged on where, from where"
-- description = """One row an account, source and computer with the kinds of logon and how often: machine accounts and services left out."""
-- [params.min_logons]
-- type = "integer"
-- default = 1
-- description = "Only pairs with so many logons at least"
-- ---
SELECT account(user_domain, user_name) AS user_name, coalesce(ip, workstation, 'local') AS source, computer,
    list_sort(list(DISTINCT logon_type_name)) AS kinds, list_sort(list(DISTINCT authentication_package)) AS packages,
    count(*) AS logons, min(event_time) AS first_time, max(event_time) AS last_time
FROM logon
WHERE NOT is_machine_account(user_name)
GROUP BY ALL
HAVING count(*) >= $min_logons
ORDER BY logons DESC, user_name, source, computer
