"""Where a rule, a freeze or a window holds, and who may set one there."""

from inventory.foundation.errors import Forbidden, InvalidInput
from inventory.foundation.models import Organisation, Project, User
from inventory.foundation.permissions import Action, organisations_where, refusal, require
from inventory.models import Pool
from inventory.selectors import pools_where


def require_scope(
    *,
    actor: User,
    organisation: Organisation | None,
    project: Project | None,
    pool: Pool | None = None,
) -> None:
    """Raise where the actor may not decide for the scope; none named means everywhere.

    A project's owner decides there, an organisation's owner there and below, a pool's operator in
    the pool, the administrator everywhere. Raises NotVisible, Forbidden; InvalidInput where
    several are named.
    """
    if sum(one is not None for one in (organisation, project, pool)) > 1:
        message = "Name one organisation, project or pool, or none of them."
        raise InvalidInput(message)
    if project is not None:
        require(actor, Action.PROJECT_EDIT, project)
    elif organisation is not None:
        if organisation.pk not in organisations_where(actor, Action.PROJECT_EDIT):
            raise refusal(Action.PROJECT_EDIT)
    elif pool is not None:
        if not pools_where(actor, Action.POOL_EDIT).filter(pk=pool.pk).exists():
            raise refusal(Action.POOL_EDIT)
    elif not actor.is_superuser:
        message = "What holds everywhere is set by an administrator. Name an organisation."
        raise Forbidden(message)
