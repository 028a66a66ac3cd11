-- ---
-- id = "record_gap"
-- title = "Holes in the numbering of records"
-- description = """Where EventRecordIDs of a log skip numbers, how many, and what time lies between: a log that was filtered, cut or tampered with. Filtered exports are left out."""
-- [params.min_missing]
-- type = "integer"
-- default = 1
-- description = "Only holes of so many records at least"
-- ---
SELECT lower(computer) AS computer, channel, last_number, next_number, missing, from_time, to_time, event_keys
FROM record_hole
WHERE missing >= $min_missing
ORDER BY missing DESC, computer, channel, last_number
