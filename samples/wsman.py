"""WinRM events of client and server: Microsoft-Windows-WinRM/Operational, today's and Windows 7's."""

from datetime import datetime

from samples import shapes
from samples.scenario import Account, Event, Host, Process, milliseconds

_NETWORK_SERVICE = "S-1-5-20"
_MISSING_ITEM = 15005  # ERROR_EVT_INVALID_EVENT_DATA, winerror.h


def log_client_open(
    host: Host, at: datetime, process: Process, connection: str, uri: str, shell_id: str, activity_id: str
) -> tuple[Event, list[Event]]:
    """WinRM 6 and its followers: who connects is the local user, not the one whose credentials are used."""
    sid = process.session.account.sid
    opened = host.log(
        shapes.WSMAN_SESSION,
        at,
        by=process,
        fields={"connection": connection},
        activity_id=activity_id,
        user_sid=sid,
    )
    created = host.log(shapes.SESSION_CREATED, at + milliseconds(12), by=process, activity_id=activity_id, user_sid=sid)
    shape = shapes.SHELL_CREATING_OLD if host.is_windows_7 else shapes.SHELL_CREATING
    known = {"resourceUri": uri, "shellId": shell_id}
    shell = host.log(
        shape,
        at + milliseconds(30),
        by=process,
        fields={key: known[key] for key, _ in shape.fields},
        activity_id=activity_id,
        user_sid=sid,
    )
    return opened, [created, shell]


def log_client_close(host: Host, at: datetime, process: Process, activity_id: str) -> list[Event]:
    return [
        host.log(
            shape,
            at + milliseconds(6 * number),
            by=process,
            activity_id=activity_id,
            user_sid=process.session.account.sid,
        )
        for number, shape in enumerate((shapes.SHELL_CLOSING, shapes.WSMAN_SESSION_CLOSING, shapes.SESSION_CLOSED))
    ]


def log_shell(
    host: Host, at: datetime, user: Account, uri: str, shell_id: str, address: str | None, activity_id: str
) -> Event:
    """91, on Windows 10 and later with user and client address if `address` is given."""
    shown = f"{uri} ({user.full_name} clientIP: {address})" if address and host.is_windows_10 else uri
    return host.log(
        shapes.WSMAN_SHELL,
        at,
        by=host.winrm,
        fields={"resourceUri": shown, "shellId": shell_id},
        activity_id=activity_id,
        user_sid=user.sid,
    )


def log_poor_shell(host: Host, at: datetime, user: Account, uri: str, activity_id: str) -> Event:
    """91 as Windows writes it when an item of the event is missing: the URI alone, in ProcessingErrorData."""
    return host.log(
        shapes.WSMAN_SHELL_POOR,
        at,
        by=host.winrm,
        fields={
            "ErrorCode": _MISSING_ITEM,
            "DataItemName": "shellId",
            "EventPayload": f"{uri}\0".encode("utf-16-le"),
        },
        activity_id=activity_id,
        user_sid=user.sid,
    )


def log_virtual_account(host: Host, begin: datetime, user: Account, virtual: Account, activity_id: str) -> Event:
    """193 of Windows 10 and later: the request of a user is executed as a virtual account."""
    shape = shapes.VIRTUAL_ACCOUNT
    given = (user.full_name, user.sid, virtual.full_name, virtual.sid)
    return host.log(
        shape,
        begin - milliseconds(70),
        by=host.winrm,
        fields={name: value for (name, _), value in zip(shape.fields, given, strict=True)},
        activity_id=activity_id,
        user_sid=_NETWORK_SERVICE,
    )


def log_old_authentication(host: Host, at: datetime, user: Account, package: str) -> list[Event]:
    """169 and 193 with one activity id, by NETWORK SERVICE, as Windows 7 and 2008 R2 log them."""
    activity = host.new_guid()
    fields = {"username": user.full_name, "authenticationMechanism": package}
    return [
        host.log(
            shapes.WINRM_AUTHENTICATED,
            at + milliseconds(2),
            by=host.winrm,
            fields={**fields},
            activity_id=activity,
            user_sid=_NETWORK_SERVICE,
        ),
        host.log(
            shapes.WINRM_AUTHORIZED,
            at + milliseconds(3),
            by=host.winrm,
            activity_id=activity,
            user_sid=_NETWORK_SERVICE,
        ),
    ]


def log_old_shell(host: Host, at: datetime, user: Account, uri: str, activity_id: str, *, is_end: bool) -> list[Event]:
    """81 and 82 of a request, 134 of its answer: CreateShell and DeleteShell bound the session."""
    operation = "DeleteShell" if is_end else "CreateShell"
    steps = (
        (shapes.REQUEST_RECEIVED, {"operationName": operation}),
        (shapes.REQUEST_SENT_TO_PLUGIN, {"operation": operation, "resourceURI": uri}),
        (shapes.RESPONSE_SENT, {"operationName": operation}),
    )
    return [
        host.log(
            shape,
            at + milliseconds(9 * number),
            by=host.winrm,
            fields={**fields},
            activity_id=activity_id,
            user_sid=user.sid,
        )
        for number, (shape, fields) in enumerate(steps)
    ]
