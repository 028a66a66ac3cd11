-- ---
-- id = "services_and_tasks"
-- title = "Services and scheduled tasks that were made"
-- description = """Everything that was installed to start by itself: services, scheduled tasks, Run keys."""
-- ---
SELECT event_time, computer, 'service' AS kind, service_name AS name, image_path AS command, account(user_domain, user_name) AS user_name, event_key FROM service_install
UNION ALL
SELECT event_time, computer, 'task ' || kind, task_name, command || coalesce(' ' || arguments, ''), user_name, event_key FROM scheduled_task WHERE kind <> 'deleted'
UNION ALL
SELECT event_time, computer, 'run key', key_path, new_value, user_name, event_key FROM run_key
ORDER BY event_time, event_key
