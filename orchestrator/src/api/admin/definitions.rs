//! Definitions, and how a new one fits the sagas under way.

mod read;

use crate::api::lookup::kept;
use crate::api::view;
use baton_engine::sagas::Registry;
use baton_operations::Operations;
use baton_operations::gauges::Group;
use baton_operations::reason::{SagaReason, of_store};
use baton_proto::baton::saga::v1 as wire;
use baton_query::compat::{Incompatibility, Rule, Standing, changes, fit};
use baton_rpc::errors::{Flaw, invalid};
use baton_rpc::reason::Reason;
use saga_core::definition::Definition;
use saga_core::saga::DefinitionId;
use std::collections::BTreeMap;
use tonic::Status;

/// The definitions of this build, and whether another one fits what is under way.
pub struct Definitions<'a> {
    pub(in crate::api) registry: &'a Registry,
    pub(in crate::api) operations: Option<&'a Operations>,
}

impl Definitions<'_> {
    pub(super) async fn list_definitions(
        &self,
        _request: &wire::ListDefinitionsRequest,
    ) -> Result<wire::ListDefinitionsResponse, Status> {
        let (unfinished, exact) = self.unfinished().await?;
        let mut ids = self.registry.ids();
        ids.extend(unfinished.keys().cloned());
        ids.sort_unstable();
        ids.dedup();
        let definitions = ids.iter().map(|id| self.told(id, &unfinished, exact)).collect();
        Ok(wire::ListDefinitionsResponse { definitions })
    }

    pub(super) async fn get_definition(
        &self,
        request: &wire::GetDefinitionRequest,
    ) -> Result<wire::GetDefinitionResponse, Status> {
        let id = read::name(&request.name, self.registry).map_err(|flaw| invalid("name", flaw))?;
        let (unfinished, exact) = self.unfinished().await?;
        if self.registry.pinned(&id).is_none() && !unfinished.contains_key(&id) {
            let message = format!("there is no definition {id}, and no saga under way is pinned to one");
            return Err(SagaReason::DefinitionUnknown.status(message));
        }
        Ok(wire::GetDefinitionResponse { definition: Some(self.told(&id, &unfinished, exact)) })
    }

    pub(super) async fn check_definition(
        &self,
        request: &wire::CheckDefinitionRequest,
    ) -> Result<wire::CheckDefinitionResponse, Status> {
        let missing = || invalid("definition", Flaw::new(Reason::FIELD_REQUIRED, "must be given"));
        let asked = request.definition.as_ref().ok_or_else(missing)?;
        let new = read::definition(asked, self.registry)?;
        let (groups, exact) = kept(self.operations)?.standing().await.map_err(|error| of_store(&error))?;
        let own = groups.iter().filter(|group| group.definition.name == new.id().name);
        let fits: Vec<wire::DefinitionFit> = own.map(|group| self.fitted(group, &new)).collect();
        let changes = match self.registry.newest(&new.id().name) {
            Some(newest) => changes(newest.definition(), &new),
            None => vec!["no version of it is known: everything is new".to_owned()],
        };
        let (safe, sentence) = verdict(&fits, &new, self.registry.pinned(new.id()).map(|saga| saga.definition()));
        Ok(wire::CheckDefinitionResponse { safe: safe && exact, sentence, changes, fits, exact })
    }

    fn fitted(&self, group: &Group, new: &Definition) -> wire::DefinitionFit {
        let old = self.registry.pinned(&group.definition).map(|saga| saga.definition());
        let standing = Standing { step: group.step, direction: group.direction };
        let outcome = match old {
            Some(old) => fit(old, new, standing),
            None => Err(Incompatibility { rule: Rule::VersionUnknown, step: String::new() }),
        };
        let step = old.and_then(|old| old.step(group.step)).map(|step| step.name.clone());
        let (rule, sentence) = match &outcome {
            Ok(()) => ("", "They could go on under it from where they stand.".to_owned()),
            Err(broken) => (broken.rule.as_str(), broken.sentence()),
        };
        wire::DefinitionFit {
            version: group.definition.version,
            state: view::code(group.state).into(),
            step: step.unwrap_or_else(|| group.step.to_string()),
            direction: group.direction.as_str().to_owned(),
            count: group.count,
            continues: outcome.is_ok(),
            rule: rule.to_owned(),
            sentence,
            example: view::name_of(group.example),
        }
    }

    /// Sagas that have not ended, by definition, and whether all were counted.
    async fn unfinished(&self) -> Result<(BTreeMap<DefinitionId, u64>, bool), Status> {
        let (groups, exact) = kept(self.operations)?.standing().await.map_err(|error| of_store(&error))?;
        let mut counts = BTreeMap::new();
        for group in groups {
            *counts.entry(group.definition).or_insert(0) += group.count;
        }
        Ok((counts, exact))
    }

    fn told(&self, id: &DefinitionId, unfinished: &BTreeMap<DefinitionId, u64>, exact: bool) -> wire::Definition {
        let known = self.registry.pinned(id).map(|saga| saga.definition());
        let newest = self.registry.newest(&id.name).is_some_and(|saga| saga.definition().id() == id);
        let told = known.map(read::told).unwrap_or_default();
        wire::Definition {
            name: read::name_of(id),
            known: known.is_some(),
            newest,
            unfinished: unfinished.get(id).copied().unwrap_or(0),
            unfinished_exact: exact,
            ..told
        }
    }
}

/// Whether it may be deployed, and why.
fn verdict(fits: &[wire::DefinitionFit], new: &Definition, same: Option<&Definition>) -> (bool, String) {
    if same.is_some_and(|same| same != new) {
        let id = new.id();
        let sentence = format!(
            "Version {} of {} is known here with other steps: a changed definition needs a new version.",
            id.version, id.name
        );
        return (false, sentence);
    }
    let all: u64 = fits.iter().map(|fit| fit.count).sum();
    let broken: u64 = fits.iter().filter(|fit| !fit.continues).map(|fit| fit.count).sum();
    let unknown: u64 = fits.iter().filter(|fit| fit.rule == Rule::VersionUnknown.as_str()).map(|fit| fit.count).sum();
    let sentence = match (all, broken) {
        (0, _) => "No saga of it is under way.".to_owned(),
        (all, 0) => format!("All {all} sagas under way could go on under it; each keeps its own version all the same."),
        (all, broken) if unknown == 0 => format!(
            "It can be deployed beside the versions there are: sagas keep theirs. {broken} of {all} sagas under way could \
             not go on under it, so keep their versions in the build until they have ended."
        ),
        (all, _) => format!(
            "{unknown} of {all} sagas under way are pinned to a version that this build does not know: nobody here can \
             tell, and nobody here moves them."
        ),
    };
    (unknown == 0, sentence)
}
