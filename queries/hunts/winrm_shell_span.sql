-- ---
-- id = "winrm_shell_span"
-- title = "WinRM shells from creation to deletion, with their user"
-- description = """FireEye 2014, row "remoting, accessed host, WinRM Operational log" (FE6): 81 CreateShell to 134 DeleteShell with the user and mechanism of
-- the last 169 before it, as Windows 7 to 2012 R2 write them; newer Windows writes 91 instead. On by default."""
-- references = ["https://www.fireeye.com/content/dam/fireeye-www/global/en/solutions/pdfs/wp-lazanciyan-investigating-powershell-attacks.pdf"]
-- [params.authentication_seconds]
-- type = "integer"
-- default = 30
-- description = "How long before the shell its authentication may be"
-- ---
WITH opened AS (
    SELECT *, row_number() OVER (PARTITION BY computer ORDER BY event_time, event_key) AS number FROM winrm
    -- 2012 and 2012 R2 write both: 91 follows within a second or two and knows more.
    WHERE event_id = 91 OR (event_id = 81 AND operation = 'CreateShell' AND NOT EXISTS (FROM winrm AS shell WHERE shell.event_id = 91
        AND shell.computer = winrm.computer AND shell.event_time BETWEEN winrm.event_time AND winrm.event_time + INTERVAL 5 SECOND))
),
-- One DeleteShell ends one shell: that of its user that was opened last before it.
closed AS (
    SELECT closing.event_key, closing.event_time, arg_max(opened.event_key, opened.number) AS opened_key
    FROM winrm AS closing JOIN opened ON opened.computer = closing.computer AND opened.user_sid IS NOT DISTINCT FROM closing.user_sid AND opened.event_time <= closing.event_time
    WHERE closing.event_id IN (81, 134) AND closing.operation = 'DeleteShell' GROUP BY ALL
),
authenticated AS (
    SELECT opened.event_key AS opened_key, arg_max(login.user_name, (login.event_time, login.event_key)) AS user_name, arg_max(login.authentication_mechanism, (login.event_time, login.event_key)) AS mechanism,
        arg_max(login.event_key, (login.event_time, login.event_key)) AS login_key
    FROM opened JOIN winrm AS login ON login.event_id = 169 AND login.computer = opened.computer
        AND login.event_time BETWEEN opened.event_time - to_seconds($authentication_seconds) AND opened.event_time
    GROUP BY ALL
)
SELECT opened.event_time AS start_time, max(closed.event_time) AS end_time, opened.computer, coalesce(opened.user_name, authenticated.user_name, opened.user_sid) AS user_name,
    mechanism, opened.client_ip, coalesce(opened.resource_uri, opened.operation) AS shell,
    list_sort(list_distinct(list_filter([opened.event_key, login_key] || list(closed.event_key), lambda key: key IS NOT NULL))) AS event_keys
FROM opened LEFT JOIN closed ON closed.opened_key = opened.event_key LEFT JOIN authenticated ON authenticated.opened_key = opened.event_key
GROUP BY opened.event_key, opened.event_time, opened.computer, opened.user_name, authenticated.user_name, opened.user_sid, mechanism, opened.client_ip, opened.resource_uri, opened.operation, login_key
ORDER BY start_time, opened.event_key
