//! `baton jobs` and `baton holds`.

use crate::cli::Page;
use baton_console::verb_names::VERBS;
use baton_query::filter::Preset;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use uuid::Uuid;

/// Who does something, and why.
#[derive(Args, Clone, Debug)]
pub struct Why {
    /// Why; written down for ever
    #[arg(long, value_name = "WHY")]
    pub reason: String,
    /// Who; written down for ever [default: your user name]
    #[arg(long, value_name = "WHO", env = "BATON_ACTOR")]
    pub actor: Option<String>,
    /// Makes a repetition harmless [default: a new one]
    #[arg(long)]
    pub request_id: Option<Uuid>,
}

/// A job to create.
#[derive(Args, Clone, Debug)]
pub struct CreateJob {
    /// What to do
    #[arg(long, value_parser = PossibleValuesParser::new(VERBS.map(|(_, word)| word)))]
    pub verb: String,
    /// Which sagas: AIP-160 filter, for example 'state = stuck AND age > 1h'; docs/filters.md has the fields
    #[arg(long, value_name = "FILTER", default_value = "", hide_default_value = true)]
    pub filter: String,
    /// Which sagas: a filter under a name
    #[arg(long, value_parser = PossibleValuesParser::new(Preset::ALL.map(Preset::name)))]
    pub preset: Option<String>,
    /// Who and why.
    #[command(flatten)]
    pub why: Why,
    /// Actions a second at most
    #[arg(long, value_name = "NUMBER", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub max_rate: u32,
    /// Only count
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Follow the job to its end; Ctrl-C leaves it running
    #[arg(long)]
    pub wait: bool,
}

/// A job to do something with.
#[derive(Args, Clone, Debug)]
pub struct ControlJob {
    /// Its id
    pub job: String,
    /// Who and why.
    #[command(flatten)]
    pub why: Why,
}

/// `baton jobs`.
#[derive(Clone, Debug, Subcommand)]
pub enum Jobs {
    /// Take one action on every saga that a filter selects; counts first and asks
    Create(CreateJob),
    /// Show one job
    Get {
        /// Its id
        job: String,
    },
    /// List jobs, newest first
    List {
        /// How many.
        #[command(flatten)]
        page: Page,
    },
    /// Halt a job
    Pause(ControlJob),
    /// Let a halted job go on
    Resume(ControlJob),
    /// End a job for good; what it has done stays done
    Cancel(ControlJob),
    /// List the sagas that refused a job's action, and why
    Failures {
        /// The job's id
        job: String,
        /// How many.
        #[command(flatten)]
        page: Page,
    },
}

/// A hold to do something with.
#[derive(Args, Clone, Debug)]
pub struct OnHold {
    /// definitions/NAME or participants/NAME
    pub name: String,
    /// Who and why.
    #[command(flatten)]
    pub why: Why,
}

/// `baton holds`.
#[derive(Clone, Debug, Subcommand)]
pub enum Holds {
    /// Halt a definition (nothing is started, what is under way is paused) or a participant (what comes to it is paused)
    Create(OnHold),
    /// List what is halted
    List,
    /// Let it go on: resumes exactly what the hold has paused
    Release(OnHold),
}
