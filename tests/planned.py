"""Detections that the ground truth of the samples names and that are still to come.

One that has a file under queries/detections no longer belongs here; a test says so.
"""

PLANNED = {
    "admin_share_write",
    "credssp_configured",
    "delegated_token_on_member",
    "delegation_configured",
    "evil_winrm",
    "ntlm_remoting_between_domain_hosts",
    "powershell_downgrade",
    "remoting_by_non_administrator",
    "remoting_enabled",
    "remoting_identity_switch",
    "resource_based_delegation_written",
    "s4u_ticket",
    "second_hop_chained_sessions",
    "second_hop_credssp",
    "second_hop_explicit_credentials",
    "second_hop_failed",
    "suspicious_ntlm_logon",
    "winrm_configuration_tampered",
    "winrm_shell_created",
    "winrs_command",
    "wmi_remote_execution",
}
