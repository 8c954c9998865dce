"""Fields and checks that all of the house's rows share."""

from typing import Any

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

currency_code = RegexValidator(r"^[A-Z]{3}\Z", _("Use a three-letter code such as EUR."))
code_name = RegexValidator(
    r"^[a-z0-9][a-z0-9._-]*\Z", _("Use small letters, digits, dots, hyphens and underscores.")
)


class QuantityField(models.DecimalField):
    """An exact quantity or unit price."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 28)
        kwargs.setdefault("decimal_places", 12)
        super().__init__(*args, **kwargs)


class CostField(models.DecimalField):
    """An exact, unrounded cost."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 28)
        kwargs.setdefault("decimal_places", 10)
        super().__init__(*args, **kwargs)
