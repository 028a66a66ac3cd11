-- ---
-- id = "recovered_number"
-- title = "Record numbers that slack or carved chunks have and no log"
-- description = """One row a number: the EventRecordID of a record from slack or a carved one of which the case has no log's record, by computer (lower
-- case) and channel; whatever --include-recovered says."""
-- ---
SELECT DISTINCT lower(computer) AS computer, channel, event_record_id
FROM (FROM event WHERE origin IN ('carved', 'slack')) AS old
WHERE NOT EXISTS (FROM event AS log WHERE log.origin NOT IN ('carved', 'slack') AND log.event_record_id = old.event_record_id
    AND log.channel IS NOT DISTINCT FROM old.channel AND lower(log.computer) IS NOT DISTINCT FROM lower(old.computer))
