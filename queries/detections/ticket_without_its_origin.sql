-- ---
-- id = "ticket_without_its_origin"
-- title = "Kerberos ticket that no domain controller gave out (golden or silver ticket)"
-- level = "medium"
-- attack = ["T1558.001", "T1558.002"]
-- description = """Golden: a service ticket (4769) was asked for by a user who got no TGT (4768, 4770) from any controller of the case as long as a
-- ticket lives. Odd realm: the domain is written otherwise than in the controller's other tickets, as forging tools do. Silver: a Kerberos
-- logon (4624) for whose GUID no controller gave a ticket. Hints and no proof."""
-- false_positives = ["A domain controller whose log is not in the case", "Users of trusted domains, whose TGT is given there", "Ticket lifetimes above the default"]
-- references = ["https://attack.mitre.org/techniques/T1558/001/", "https://learn.microsoft.com/windows/security/threat-protection/auditing/event-4769"]
-- requires = [{channel = "Security", event_id = [4769]}, {channel = "Security", event_id = [4768]}, {channel = "Security", event_id = [4624]}]
-- [params.ticket_hours]
-- type = "integer"
-- default = 10
-- description = "Lifetime of tickets; 10 is Windows' default"
-- ---
-- Absence means something only where every controller that the case knows was logging success for that long: its tickets begin before, and
-- its Security log was neither cleared nor has holes.
WITH ticket AS (SELECT *, lower(computer) AS dc FROM kerberos_ticket WHERE is_success AND user_name IS NOT NULL),
span AS (
    SELECT controller.computer AS dc, min(event_time) FILTER (kind = 'TGT') AS tgt_from, min(event_time) FILTER (kind = 'service ticket') AS service_from, max(event_time) AS until_time
    FROM domain_controller AS controller LEFT JOIN ticket ON ticket.dc = controller.computer GROUP BY controller.computer
),
-- From when to when all controllers tell: NULL as soon as one of them tells nothing.
told AS (
    SELECT CASE WHEN bool_and(tgt_from IS NOT NULL AND coalesce(missing_records, 1) = 0 AND cleared_time IS NULL) THEN max(tgt_from) END AS tgt_from,
        CASE WHEN bool_and(service_from IS NOT NULL AND coalesce(missing_records, 1) = 0 AND cleared_time IS NULL) THEN max(service_from) END AS service_from,
        min(until_time) AS until_time
    FROM span LEFT JOIN log_coverage AS log ON log.computer = dc AND log.channel = 'Security'
),
realm AS (
    SELECT dc, arg_max(user_domain, (n, user_domain)) AS usual
    FROM (SELECT dc, user_domain, count(*) AS n FROM ticket WHERE user_domain IS NOT NULL GROUP BY ALL) GROUP BY dc HAVING sum(n) >= 5
),
-- Controllers' clocks may differ by the five minutes that Kerberos allows.
service AS (SELECT *, lower(user_name) AS name, event_time + INTERVAL 5 MINUTE AS latest FROM ticket WHERE kind = 'service ticket' AND NOT is_machine_account(user_name)),
granted AS (SELECT lower(user_name) AS name, event_time FROM ticket WHERE kind IN ('TGT', 'renewal')),
hint AS (
    SELECT service.event_key, service.event_time, service.host, service.computer, account(user_domain, user_name) AS user_name,
        'a ticket to ' || coalesce(service_name, '?') || ' without a TGT' || coalesce(', from ' || ip, '') AS what, 'golden' AS kind
    FROM service ASOF LEFT JOIN granted ON granted.name = service.name AND service.latest >= granted.event_time, told
    WHERE service.event_time BETWEEN told.tgt_from + to_hours($ticket_hours) AND told.until_time
        AND coalesce(granted.event_time < service.event_time - to_hours($ticket_hours), true)
    UNION ALL
    SELECT event_key, event_time, host, computer, account(user_domain, user_name),
        'a ' || kind || ' for realm ' || user_domain || ', which is written ' || usual || ' elsewhere' || coalesce(', from ' || ip, ''), 'realm'
    FROM ticket JOIN realm USING (dc)
    -- A TGT request writes the realm as the client typed it: only tickets asked for with a TGT in hand count.
    WHERE kind = 'service ticket' AND user_domain <> usual AND lower(user_domain) = lower(usual)
    UNION ALL
    SELECT event_key, event_time, host, computer, account(user_domain, user_name), 'a logon by Kerberos without a ticket' || coalesce(', from ' || ip, ''), 'silver'
    FROM logon, told
    WHERE authentication_package = 'Kerberos' AND logon_guid IS NOT NULL AND logon_type = 3 AND NOT is_machine_account(user_name) AND NOT is_loopback(ip)
        AND event_time BETWEEN told.service_from + to_hours($ticket_hours) AND told.until_time
        AND NOT EXISTS (FROM ticket WHERE ticket.logon_guid = logon.logon_guid)
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, user_name,
    user_name || ' used on ' || coalesce(computer, 'an unnamed computer') || ' ' || show_span(min(event_time), max(event_time)) || ' ' || name_list(list(what), 4) AS summary,
    list_sort(list(event_key)) AS evidence, kind
FROM hint GROUP BY computer, user_name, kind, event_time::DATE
ORDER BY event_time, evidence
