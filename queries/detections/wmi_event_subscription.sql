-- ---
-- id = "wmi_event_subscription"
-- title = "Permanent WMI event subscription"
-- level = "high"
-- attack = ["T1546.003"]
-- description = """A WMI consumer was bound to an event filter: a program or script that Windows starts by itself from then on, without a service
-- or task. Windows' own subscription is left out."""
-- false_positives = ["SCCM and hardware vendors' agents"]
-- references = ["https://attack.mitre.org/techniques/T1546/003/"]
-- requires = [{channel = "Microsoft-Windows-WMI-Activity/Operational", event_id = [5861]},
--     {channel = "Microsoft-Windows-Sysmon/Operational", event_id = [19, 20, 21]}]
-- [params.gap_minutes]
-- type = "integer"
-- default = 10
-- description = "Events of one kind this close together are one finding"
-- ---
WITH bound AS (
    SELECT event_key, event_time, host, computer, event_data->>'User' AS user_name,
        coalesce(event_data->>'Name', event_data->>'Consumer', '?') || coalesce(': ' || coalesce(event_data->>'Destination', event_data->>'Query'), '') AS what
    FROM rare_event WHERE event_id IN (19, 20, 21) AND provider = 'Microsoft-Windows-Sysmon' AND coalesce(event_data->>'Operation', '') <> 'Deleted'
    UNION ALL
    SELECT event_key, event_time, host, computer, NULL,
        coalesce(event_data->>'$.Operation_ESStoConsumerBinding.ESS', '?') || ': ' || coalesce(event_data->>'$.Operation_ESStoConsumerBinding.CONSUMER', '?')
    FROM rare_event WHERE event_id = 5861 AND provider = 'Microsoft-Windows-WMI-Activity'
),
-- Every Windows has the first, older ones the second.
foreign_one AS (SELECT * FROM bound WHERE NOT regexp_matches(what, 'SCM Event Log (Filter|Consumer)|BVT(Filter|Consumer)')),
stepped AS (SELECT *, lag(event_time) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS previous FROM foreign_one),
numbered AS (
    SELECT *, sum(begins_island(event_time, previous, $gap_minutes)) OVER (PARTITION BY computer ORDER BY event_time, event_key) AS island FROM stepped
)
SELECT min(event_time) AS event_time, arg_min(host, event_key) AS host, computer, arg_min(user_name, event_key) AS user_name,
    coalesce(arg_min(user_name, event_key), 'Somebody') || ' bound a WMI consumer on ' || coalesce(computer, 'an unnamed computer') || ' '
        || show_span(min(event_time), max(event_time)) || ': ' || name_list(list(what), 3) AS summary,
    list_sort(list(event_key)) AS evidence
FROM numbered GROUP BY computer, island
ORDER BY event_time, evidence
