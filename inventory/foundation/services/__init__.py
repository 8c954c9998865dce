"""The cellar's verbs: projects, requests for them, hand-overs, memberships, roles, profiles."""

from inventory.foundation.services.organisations import NotTheFirst, found_organisation
from inventory.foundation.services.profiles import PROFILE_FIELDS, update_profile
from inventory.foundation.services.projects import (
    PROJECT_FIELDS,
    MustAccept,
    ProjectClosed,
    create_project,
    edit_project,
    mark_closed,
    reopen_project,
)
from inventory.foundation.services.requests import (
    Answered,
    OwnRequest,
    approve_project_request,
    reject_project_request,
    request_project,
    withdraw_project_request,
)
from inventory.foundation.services.roles import (
    LastOwner,
    OwnRole,
    add_member,
    change_role,
    grant_role,
    revoke_role,
)
from inventory.foundation.services.transfers import (
    accept_transfer,
    agree_to_move,
    ask_move,
    carry_out_move,
    decline_transfer,
    give_up_move,
    hand_over,
    require_answerer,
    withdraw_transfer,
)

__all__ = [
    "PROFILE_FIELDS",
    "PROJECT_FIELDS",
    "Answered",
    "LastOwner",
    "MustAccept",
    "NotTheFirst",
    "OwnRequest",
    "OwnRole",
    "ProjectClosed",
    "accept_transfer",
    "add_member",
    "agree_to_move",
    "approve_project_request",
    "ask_move",
    "carry_out_move",
    "change_role",
    "create_project",
    "decline_transfer",
    "edit_project",
    "found_organisation",
    "give_up_move",
    "grant_role",
    "hand_over",
    "mark_closed",
    "reject_project_request",
    "reopen_project",
    "request_project",
    "require_answerer",
    "revoke_role",
    "update_profile",
    "withdraw_project_request",
    "withdraw_transfer",
]
