-- ---
-- id = "share_access"
-- title = "Shares and files on them opened from the network"
-- materialize = true  # several detections read it: computed once for all of them
-- description = """Security 5140 (a share) and 5145 (a file or pipe on it; by policy)."""
-- ---
SELECT
    event_key, event_time, host, computer, event_id,
    account(subject_domain_name, subject_user_name) AS user_name,
    subject_logon_id AS logon_id,
    clean_ip(ip_address) AS ip,
    as_integer(data.IpPort) AS port,
    regexp_extract(data.ShareName, '([^\\]*)$', 1) AS share,
    known(data.RelativeTargetName) AS path,
    as_integer(data.AccessMask) AS access_mask      -- 0x2 writes or creates, 0x10000 deletes
FROM (SELECT *, fields(event_data, 'IpPort, ShareName, RelativeTargetName, AccessMask') AS data FROM counted_event)
WHERE event_id IN (5140, 5145) AND provider = 'Microsoft-Windows-Security-Auditing'
