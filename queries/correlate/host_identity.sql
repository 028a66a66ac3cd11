-- ---
-- id = "host_identity"
-- title = "Names and addresses of computers"
-- description = """One row a computer and name or address that it has in the case: by what its own logs say, by which address, and by
-- which folder or label its logs came. Renamed computers and names that two claim are marked."""
-- [columns]
-- computer = "lower case, as its logs name it"
-- kind = "name, address, collection, other name"
-- value = "the name without domain, the address, the collection's label, or the other computer whose name is in the same log file"
-- first_time = "first record that says so"
-- last_time = "last record that says so"
-- records = "how many records say so"
-- basis = "where it comes from"
-- is_conflicting = "another computer claims it too; for other name: the two names overlap in time"
-- ---
-- One log file with two computer names: the computer was renamed (names follow one another), or the log holds forwarded events.
WITH named AS (
    SELECT computer, source_file_id, host, events, first_time, last_time FROM event_kind WHERE computer IS NOT NULL
),
span AS (
    SELECT computer, short_host(computer) AS short_name, min(first_time) AS first_time, max(last_time) AS last_time,
        sum(events)::BIGINT AS records
    FROM named GROUP BY computer
),
in_file AS (
    SELECT source_file_id, computer, min(first_time) AS first_time, max(last_time) AS last_time, sum(events)::BIGINT AS records
    FROM (
        SELECT source_file_id, computer, first_time, last_time, events FROM named
        UNION ALL
        SELECT source_file_id, lower(computer), event_time, event_time, 1 FROM file_record WHERE is_copy AND computer IS NOT NULL
    ) GROUP BY ALL
)
SELECT computer, 'name' AS kind, short_name AS value, first_time, last_time, records, 'System/Computer' AS basis,
    EXISTS (SELECT 1 FROM span AS other WHERE other.short_name = span.short_name AND other.computer <> span.computer) AS is_conflicting
FROM span
UNION ALL
SELECT computer, 'address', ip, first_time, last_time, records, basis, is_conflicting FROM host_address
UNION ALL
SELECT computer, 'collection', host, min(first_time), max(last_time), sum(events)::BIGINT, 'label of the files that hold its records',
    sum(events) < max((SELECT max(n) FROM (SELECT sum(events) AS n FROM named AS all_named WHERE all_named.host = named.host GROUP BY all_named.computer)))
FROM named WHERE host IS NOT NULL AND lower(host) <> computer GROUP BY computer, host
UNION ALL
SELECT one.computer, 'other name', other.computer, min(other.first_time), max(other.last_time), sum(other.records)::BIGINT,
    'another name in the same log file',
    bool_or(one.first_time < other.last_time AND other.first_time < one.last_time)
FROM in_file AS one JOIN in_file AS other ON other.source_file_id = one.source_file_id AND other.computer <> one.computer
GROUP BY one.computer, other.computer
ORDER BY computer, kind, value
