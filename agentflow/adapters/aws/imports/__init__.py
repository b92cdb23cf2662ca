"""Reading state machines as workflows: `import_machine` makes one of the other.

`structure` turns jumps into steps inside each other, `states`, `tasks` and `scopes` write what each
state does, `expressions` says in our language what is surely the same, and `foreign` (beside this
folder) evaluates the rest where the workflow runs.
"""

from agentflow.adapters.aws.imports.machines import Imported, import_machine
from agentflow.adapters.aws.imports.tasks import Lookup, Mapped

__all__ = ["Imported", "Lookup", "Mapped", "import_machine"]
