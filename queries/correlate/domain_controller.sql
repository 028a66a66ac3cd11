-- ---
-- id = "domain_controller"
-- title = "Domain controllers"
-- description = """Computers that the logs show to be domain controllers. Every logon there is with delegation, which means nothing."""
-- [columns]
-- computer = "lower case"
-- basis = "what shows it"
-- records = "how many records show it"
-- ---
-- Only controllers grant tickets (4768, 4769, 4771) and log changes of the directory (5136). A controller whose logs hold none of
-- these still logs on to itself from loopback with a delegated token (31 of 31 real %%1840 are of controllers).
WITH shown AS (
    SELECT computer, 'grants tickets or logs directory changes' AS basis, events FROM event_kind
    WHERE event_id IN (4768, 4769, 4771, 5136) AND provider = 'Microsoft-Windows-Security-Auditing'
    UNION ALL
    SELECT computer, 'logs on to itself with delegation', 1 FROM logon_session
    WHERE impersonation_level = 'delegation' AND (is_loopback(ip) OR starts_with(ip, 'fe80:'))
        AND lower(user_name) = short_host(computer) || '$'
)
SELECT computer, string_agg(DISTINCT basis, '; ' ORDER BY basis) AS basis, sum(events)::BIGINT AS records
FROM shown GROUP BY computer ORDER BY computer
