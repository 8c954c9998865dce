"""The cellar's verbs: projects, memberships, roles, profiles."""

from inventory.foundation.services.profiles import PROFILE_FIELDS, update_profile
from inventory.foundation.services.projects import PROJECT_FIELDS, create_project, edit_project
from inventory.foundation.services.roles import OwnRole, add_member, grant_role, revoke_role

__all__ = [
    "PROFILE_FIELDS",
    "PROJECT_FIELDS",
    "OwnRole",
    "add_member",
    "create_project",
    "edit_project",
    "grant_role",
    "revoke_role",
    "update_profile",
]
