"""What can be wrong with a decision about a proposal."""

from shared.errors import Conflict


class ProposalRevised(Conflict):
    """The vendor changed the proposal since the admins were told of it.

    Read it, and decide about what you read with its ETag in `If-Match`: nothing is swapped behind a decision.
    """

    code = "proposal_revised"

    def __init__(self) -> None:
        super().__init__("The proposal was changed since it was put to you; send If-Match with the ETag you looked at.")
