//! What each service works with: two to five of the parts of [`Api`].

use crate::api::Api;
use crate::api::admin::act::Actions;
use crate::api::admin::audit::Audits;
use crate::api::admin::definitions::Definitions;
use crate::api::admin::explain::Explainer;
use crate::api::admin::find::Finder;
use crate::api::admin::holds::HoldAdmin;
use crate::api::admin::jobs::JobAdmin;
use crate::api::admin::letters::LetterAdmin;
use crate::api::admin::overview::Overview;
use crate::api::admin::timeline::Timelines;
use crate::api::lookup::Lookup;
use crate::api::lookup::kept;
use crate::api::start::Starter;
use tonic::Status;

impl Api {
    /// Sagas by their ids.
    #[must_use]
    pub fn lookup(&self) -> Lookup<'_> {
        Lookup { store: &*self.store, query: &*self.query, registry: &self.registry }
    }

    /// Starts sagas.
    #[must_use]
    pub fn starter(&self) -> Starter<'_> {
        Starter { engine: &self.engine, lookup: self.lookup(), operations: self.operations.as_ref() }
    }

    pub(super) fn finder(&self) -> Finder<'_> {
        Finder { lookup: self.lookup() }
    }

    pub(super) fn explainer(&self) -> Explainer<'_> {
        Explainer { lookup: self.lookup(), operations: self.operations.as_ref(), probe: &*self.probe }
    }

    pub(super) fn timelines(&self) -> Timelines<'_> {
        Timelines { lookup: self.lookup(), shown: &self.shown }
    }

    pub(super) fn actions(&self) -> Actions<'_> {
        Actions { engine: &self.engine, lookup: self.lookup(), audits: self.audits() }
    }

    pub(super) fn audits(&self) -> Audits<'_> {
        Audits { operations: self.operations.as_ref() }
    }

    pub(super) fn jobs(&self) -> Result<JobAdmin<'_>, Status> {
        let operations = kept(self.operations.as_ref())?;
        Ok(JobAdmin { operations, lookup: self.lookup(), audits: self.audits(), new_id: &self.new_id })
    }

    pub(super) fn holds(&self) -> Result<HoldAdmin<'_>, Status> {
        let operations = kept(self.operations.as_ref())?;
        Ok(HoldAdmin { operations, lookup: self.lookup(), audits: self.audits() })
    }

    pub(super) fn letters(&self) -> Result<LetterAdmin<'_>, Status> {
        let operations = kept(self.operations.as_ref())?;
        let (registry, shown) = (&self.registry, &self.shown);
        Ok(LetterAdmin { operations, registry, shown, audits: self.audits() })
    }

    pub(super) fn definitions(&self) -> Definitions<'_> {
        Definitions { registry: &self.registry, operations: self.operations.as_ref() }
    }

    pub(super) fn overview(&self) -> Overview<'_> {
        let (lookup, operations) = (self.lookup(), self.operations.as_ref());
        Overview { lookup, operations, bus: &*self.bus, probe: &*self.probe, memo: &self.overview }
    }
}
