//! The words for actions, as the command line takes them. Page, command line and the lines to copy all have them from here, so
//! that what one of them says the others understand.

use baton_proto::baton::saga::v1::{JobControl, SagaVerb};

/// Orders for sagas, in the order in which help lists them.
pub const VERBS: [(SagaVerb, &str); 7] = [
    (SagaVerb::Cancel, "cancel"),
    (SagaVerb::Retry, "retry"),
    (SagaVerb::Skip, "skip"),
    (SagaVerb::ResolveDone, "resolve-done"),
    (SagaVerb::ResolveUndone, "resolve-undone"),
    (SagaVerb::Pause, "pause"),
    (SagaVerb::Resume, "resume"),
];

/// What is done with a job.
pub const CONTROLS: [(JobControl, &str); 3] =
    [(JobControl::Pause, "pause"), (JobControl::Resume, "resume"), (JobControl::Cancel, "cancel")];

/// The word of an action; none for the one that is refused.
#[must_use]
pub fn verb(verb: SagaVerb) -> Option<&'static str> {
    VERBS.iter().find(|(known, _)| *known == verb).map(|(_, word)| *word)
}

/// The action of a word.
#[must_use]
pub fn verb_of(word: &str) -> Option<SagaVerb> {
    VERBS.iter().find(|(_, known)| *known == word).map(|(verb, _)| *verb)
}

/// The word of a job's control; none for the one that is refused.
#[must_use]
pub fn control(control: JobControl) -> Option<&'static str> {
    CONTROLS.iter().find(|(known, _)| *known == control).map(|(_, word)| *word)
}

/// The control of a word.
#[must_use]
pub fn control_of(word: &str) -> Option<JobControl> {
    CONTROLS.iter().find(|(_, known)| *known == word).map(|(control, _)| *control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_has_one_word() {
        for code in 1..=7 {
            let known = SagaVerb::try_from(code).expect("a verb");
            assert_eq!(verb(known).and_then(verb_of), Some(known));
        }
        assert!(SagaVerb::try_from(8).is_err(), "it has no word yet");
        assert_eq!((verb(SagaVerb::Unspecified), verb_of("unspecified"), verb_of("nope")), (None, None, None));
    }

    #[test]
    fn every_control_has_one_word() {
        for code in 1..=3 {
            let known = JobControl::try_from(code).expect("a control");
            assert_eq!(control(known).and_then(control_of), Some(known));
        }
        assert!(JobControl::try_from(4).is_err(), "it has no word yet");
        assert_eq!((control(JobControl::Unspecified), control_of("nope")), (None, None));
    }
}
