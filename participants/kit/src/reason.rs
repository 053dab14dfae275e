//! Why the kit answers a command without success. A participant's own reasons stand beside these.

use baton_rpc::reasons;

reasons! {
    /// What any participant may answer, in the order of the documentation.
    KIT {
        MALFORMED_COMMAND: "The command breaks the wire protocol's bounds. Not stored. Rejected if it is an action's first attempt, otherwise unavailable.";
        MALFORMED_PAYLOAD: "Rejected: the payload is not what the command's name asks for; of an undo Unavailable.";
        UNKNOWN_COMMAND: "Unavailable: this build of the participant does not know the command.";
        UNDONE_BEFORE_ACTION: "Rejected: the undo came before the action, which must not run any more.";
        DEADLINE_PASSED: "Unavailable: the action arrived after its deadline and was not begun.";
        HANDLER_FAILED: "Unavailable: a defect of the participant; its log has the cause.";
        STORE_UNAVAILABLE: "Unavailable: the participant's database is away; the outcome may be unknown.";
        STORE_CONFLICT: "Unavailable: the participant's database stayed locked by others.";
    }
}
