//! Workers that do operators' work: jobs and holds carried out, dead letters collected and replayed, incidents told, what waits counted.
//! Each is `run_once` and a short loop.

pub mod actions;
pub mod active_count;
pub mod backlog_gauges;
pub mod dead_letters;
pub mod heartbeat;
pub mod holds;
pub mod incidents;
pub mod jobs;
pub mod rate_ramp;
pub mod replays;
