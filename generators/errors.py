"""Everything this project raises on purpose; each message is one line a user can act on."""


class ProjectError(Exception):
    """A refusal with a one-line message; the command line ends with status 2."""

    exit_status = 2


class ParameterError(ProjectError):
    """A parameter file, entry or field breaks a rule."""


class UnknownQuestion(ProjectError):
    """An id names no question, or more than one."""


class RenderError(ProjectError):
    """A template, formula, figure or document could not be rendered."""


class Busy(ProjectError):
    """Another command works in the project's folder."""


class WorkerDied(ProjectError):
    """A process that worked out questions was ended from outside."""


class CheckFailed(ProjectError):
    """A published value differs from the one found by an independent route."""

    exit_status = 1


class RecordingError(ProjectError):
    """A recording is missing, malformed, or was made with other parameters."""


class MeasureError(ProjectError):
    """A model, device or setting of a measurement is refused."""
