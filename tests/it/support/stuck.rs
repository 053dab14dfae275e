//! Sagas brought where no participant brings them within a test's patience: what happens to them is written into their
//! journals as an orchestrator would have written it, beside those that run.

use baton_shop::saga::registry;

use baton_orchestrator::store::sql::SqlStore;
use baton_orchestrator::store::{Changes, Loaded, SagaStore as _, Update};
use baton_query::step_position::position;
use saga_core::event::{Event, Outcome, Reply};
use saga_core::machine;
use saga_core::saga::{Direction, SagaId, StepIndex};
use saga_core::transition::Applied;
use uuid::Uuid;

/// It will never be done.
pub fn refused(reason: &str) -> Outcome {
    Outcome::Rejected { reason: reason.to_owned(), message: "not any more".to_owned() }
}

/// The participant's answer to the command that is open.
pub async fn answered(store: &SqlStore, saga: &str, outcome: Outcome) {
    happen(store, saga, move |(step, direction, attempt)| {
        Event::Reply(Reply { step, direction, attempt, outcome: outcome.clone() })
    })
    .await;
}

/// An event, as the engine would take it: `event` makes it from the step, the direction and the attempt at work.
pub async fn happen(
    store: &SqlStore,
    saga: &str,
    event: impl Fn((StepIndex, Direction, u32)) -> Event + Send + 'static,
) {
    let id = SagaId(Uuid::try_parse(saga.trim_start_matches("sagas/")).expect("an id").into_bytes());
    let registry = registry();
    let decide = move |loaded: &Loaded| {
        let saga = &loaded.records[&id].saga;
        let event = event(position(&saga.state).unwrap_or((0, Direction::Action, 0)));
        let definition = registry.pinned(&saga.definition).expect("known").definition();
        let Applied::Moved(moved) = machine::apply(definition, saga, &event, loaded.now) else { panic!("it moves") };
        let update = Update {
            saga: moved.saga,
            last_failure: None,
            skipped: Vec::new(),
            loaded_version: saga.version,
            look_at: None,
            data_changed: true,
        };
        Changes { updates: vec![update], journal: vec![moved.entry], ..Changes::default() }
    };
    store.commit(vec![id], Box::new(decide)).await.expect("committed");
}
