-- ---
-- id = "service_install"
-- title = "Installed services"
-- materialize = true  # several detections read it: computed once for all of them
-- description = """System 7045 (always on, without who) and Security 4697 (by policy, with who) as one shape."""
-- ---
-- 7045 spells out types ("user mode service", "demand start"), 4697 gives numbers (0x10, 3).
SELECT
    event_key, event_time, host, computer, event_id,
    service_name,
    coalesce(data.ImagePath, data.ServiceFileName) AS image_path,
    -- Device drivers are of type 1 (kernel) and 2 (file system).
    coalesce(data.ServiceType ILIKE '%driver%', false)
        OR coalesce(data.ServiceType IN ('0x1', '0x2'), false) AS is_driver,
    CASE data.ServiceStartType
        WHEN '0' THEN 'boot start' WHEN '1' THEN 'system start' WHEN '2' THEN 'auto start' WHEN '3' THEN 'demand start'
        WHEN '4' THEN 'disabled' ELSE data.StartType END AS start_type,
    known(coalesce(data.AccountName, data.ServiceAccount)) AS service_account,
    subject_user_name AS user_name, subject_domain_name AS user_domain,
    subject_logon_id AS logon_id,
    user_sid
FROM (SELECT *, fields(event_data, 'ImagePath, ServiceFileName, ServiceType, ServiceStartType, StartType, AccountName, ServiceAccount') AS data FROM rare_event)
WHERE (event_id = 7045 AND provider = 'Service Control Manager')
    OR (event_id = 4697 AND provider = 'Microsoft-Windows-Security-Auditing')
