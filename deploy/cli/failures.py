"""The failures that a person can do something about: shown as their sentence, without a traceback."""

from deploy.local.children import ServerFailed
from deploy.local.supervisor import NotReady
from shared.db.migrate import MigrationRefused
from shared.errors import AppError

EXPECTED = (ServerFailed, NotReady, MigrationRefused, AppError, OSError)
