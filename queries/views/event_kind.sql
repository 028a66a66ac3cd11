-- ---
-- id = "event_kind"
-- title = "How many events of each kind"
-- materialize = true  # reads every event: computed once for all that only count them
-- description = """One row a log file, computer (lower case), channel, provider and event id: how many records, and their first and last time."""
-- ---
SELECT source_file_id, host, lower(computer) AS computer, channel, provider, event_id, count(*) AS events,
    min(event_time) AS first_time, max(event_time) AS last_time
FROM counted_event
GROUP BY source_file_id, host, lower(computer), channel, provider, event_id
