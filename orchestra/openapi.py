"""Names of the value sets in the API's description, where a field's name alone would clash."""

# Where the values are listed; the set is called as the class is.
VALUE_SETS = (
    "inventory.foundation.choices.ProjectStatus",
    "inventory.foundation.choices.TransferKind",
    "inventory.foundation.choices.WishState",
    "inventory.choices.AllocationState",
    "inventory.choices.ProviderState",
    "inventory.choices.ResourceStatus",
    "billing.choices.BookStatus",
    "billing.choices.ChargeCategory",
    "billing.choices.InvoiceState",
    "billing.choices.PeriodState",
    "billing.choices.PreparedState",
    "orchestra.choices.DeploymentState",
    "orchestra.choices.OrderKind",
    "orchestra.choices.OrderState",
    "orchestra.choices.RunState",
    "orchestra.choices.StepState",
)
ENUM_NAMES = {path.rpartition(".")[2]: path for path in VALUE_SETS}
