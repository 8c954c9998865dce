"""The forms of money."""

from inventory.foundation.forms import IdempotentFormMixin, PortalForm


class CloseForm(IdempotentFormMixin, PortalForm):
    """Nothing to fill in: sending it is the confirmation. Closing twice closes once."""
