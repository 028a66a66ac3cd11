"""Providers, channels, and where the real logs are that shapes are held against."""

from samples.events import Provider

SECURITY = Provider("Microsoft-Windows-Security-Auditing", "54849625-5478-4994-a5ba-3e3b0328c30d")
SYSMON = Provider("Microsoft-Windows-Sysmon", "5770385f-c22a-43e0-bf4c-06f5698ffbd9")
POWERSHELL = Provider("Microsoft-Windows-PowerShell", "a0c1853b-5c40-4b15-8766-3cf1c58f985a")
CLASSIC_POWERSHELL = Provider("PowerShell", has_own_template=True)
WINRM = Provider("Microsoft-Windows-WinRM", "a7975c8f-ac13-49f1-87da-5a984a4ab417")
WINRM_POOR = Provider(WINRM.name, WINRM.guid, has_own_template=True)
EVENT_LOG = Provider("Microsoft-Windows-Eventlog", "fc65ddd8-d6ef-4962-83d5-6e5cfe9ce148", has_own_template=True)
SERVICE_CONTROL = Provider(
    "Service Control Manager",
    "555908d1-a6d7-4695-8e1e-26931d2012f4",
    "Service Control Manager",
    has_own_template=True,
)

# As Windows 7 writes some events of it: name and channel are text of the template.
OLD_SECURITY = Provider(SECURITY.name, SECURITY.guid, has_own_template=True)
KERNEL_GENERAL = Provider("Microsoft-Windows-Kernel-General", "a68ca8b7-004f-d7b6-a698-07e2de0f1f5d")
# The classic source: its System block holds neither version, opcode, correlation nor execution.
CLASSIC_EVENT_LOG = Provider("EventLog", has_own_template=True, is_legacy=True)
WMI = Provider("Microsoft-Windows-WMI-Activity", "1418ef04-b0b4-4623-bf7e-d74ab47bbdaa")
TASK_SCHEDULER = Provider("Microsoft-Windows-TaskScheduler", "de7b24ea-73c8-4a09-985d-5bdadcfa9017")

SECURITY_LOG = "Security"
SYSTEM_LOG = "System"
SYSMON_LOG = "Microsoft-Windows-Sysmon/Operational"
POWERSHELL_LOG = "Microsoft-Windows-PowerShell/Operational"
CLASSIC_POWERSHELL_LOG = "Windows PowerShell"
WINRM_LOG = "Microsoft-Windows-WinRM/Operational"
WMI_LOG = "Microsoft-Windows-WMI-Activity/Operational"
TASK_LOG = "Microsoft-Windows-TaskScheduler/Operational"

ATTACKS = "corpora/attack-samples"
DEEPBLUE = "corpora/deepblue"
PARSER_SAMPLES = "corpora/parser-samples"
SIGMA = "sigma/regression_data/rules/windows"
