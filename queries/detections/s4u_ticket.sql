-- ---
-- id = "s4u_ticket"
-- title = "Ticket for another user by delegation (S4U)"
-- level = "medium"
-- other_levels = ["high"]  # by a computer account's name without its dollar
-- attack = ["T1558", "T1134.001"]
-- description = """A service asked for a ticket in a user's name: S4U2Proxy (constrained and resource-based delegation) or S4U2Self (to itself,
-- for anyone). Constrained delegation does so by design; so does its abuse."""
-- false_positives = ["Web, SQL and gateway servers that are set up for delegation"]
-- references = ["https://learn.microsoft.com/openspecs/windows_protocols/ms-sfu/", "https://learn.microsoft.com/previous-versions/windows/it-pro/windows-10/security/threat-protection/auditing/event-4769"]
-- requires = [{channel = "Security", event_id = [4769]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Events of one kind this close together are one finding"
-- ---
-- 0x20000 is cname-in-addl-tkt, the mark of S4U2Proxy. S4U2Self: a ticket of an account to itself, not from the controller
-- itself; with a name that lacks the $ it is what sAMAccountName spoofing leaves.
WITH asked AS (
    SELECT *, CASE
            WHEN transmitted_services IS NOT NULL OR ticket_options & 131072 <> 0 THEN 'S4U2Proxy'
            WHEN lower(rtrim(user_name, '$')) = lower(rtrim(service_name, '$')) THEN 'S4U2Self' END AS step
    FROM kerberos_ticket WHERE kind = 'service ticket' AND is_success AND service_name <> 'krbtgt'
),
chosen AS (
    SELECT *, lag(event_time) OVER (PARTITION BY computer, ip ORDER BY event_time, event_key) AS previous,
        step = 'S4U2Self' AND ends_with(service_name, '$') AND NOT ends_with(user_name, '$') AS is_spoofed
    FROM asked
    WHERE step IS NOT NULL AND NOT is_loopback(ip)
        AND (step = 'S4U2Proxy' OR lower(rtrim(service_name, '$')) <> short_host(computer) OR NOT ends_with(user_name, '$'))
        -- A computer asks for a ticket to itself all the time; by delegation it asks with options of its own (0x40800018 in real logs).
        AND (step = 'S4U2Proxy' OR NOT ends_with(user_name, '$') OR ticket_options & 8 <> 0)
),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer, ip ORDER BY event_time, event_key) AS island FROM chosen
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, arg_min(user_name, event_key) AS user_name,
    'From ' || coalesce(arg_min(ip, event_key), 'an unknown address') || ' tickets were asked for in the name of '
        || name_list(list(user_name), 5) || ' to ' || name_list(list(service_name), 5) || ' by ' || name_list(list(step), 2)
        || ' ' || show_span(min(event_time), max(event_time))
        || CASE WHEN bool_or(is_spoofed) THEN '; an account named like a computer, without its $, got a ticket to that computer' ELSE '' END AS summary,
    list_sort(list(event_key)) AS evidence, CASE WHEN bool_or(is_spoofed) THEN 'high' END AS level
FROM numbered GROUP BY computer, ip, island
ORDER BY event_time, evidence
