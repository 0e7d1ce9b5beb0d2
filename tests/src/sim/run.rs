//! One run of a plan.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::check::Violation;
use super::machine::Factory;
use super::plan::Plan;
use super::sometimes::Sometimes;
use super::world::World;

/// How a run went.
#[derive(Debug)]
pub struct Outcome {
    /// What did not hold, if anything.
    pub violation: Option<Violation>,
    /// The time that passed in the world.
    pub lived: Duration,
    /// How many things happened.
    pub events: u64,
    /// What was reached.
    pub sometimes: Sometimes,
    /// The last events; only of a traced run.
    pub trace: Vec<String>,
    /// Over all events; only of a traced run.
    pub hash: u64,
}

/// Carries out a plan.
pub fn run(plan: &Plan, factory: &dyn Factory) -> Outcome {
    live(plan, factory, 0)
}

/// Carries out a plan and keeps its last `kept` events.
pub fn run_traced(plan: &Plan, factory: &dyn Factory, kept: usize) -> Outcome {
    live(plan, factory, kept)
}

fn live(plan: &Plan, factory: &dyn Factory, kept: usize) -> Outcome {
    let mut world = World::new(plan, factory, kept);
    let lived = catch_unwind(AssertUnwindSafe(|| world.live()));
    let violation = match lived {
        Ok(result) => result.err(),
        Err(panic) => {
            let words = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("it does not say why");
            Some(world.violation("D10", format!("a panic: {words}")))
        }
    };
    Outcome {
        violation,
        lived: Duration::from_nanos(world.queue.now().0),
        events: world.queue.planned(),
        hash: world.trace.hash(),
        sometimes: world.sometimes,
        trace: world.trace.into_lines(),
    }
}

impl Outcome {
    /// What to print of a failed run.
    pub fn describe(&self, plan: &Plan) -> String {
        let Some(violation) = &self.violation else {
            return String::new();
        };
        format!(
            "{}\nproperty {} does not hold at {} s: {}\n{plan:?}\nagain: SIM_SEED={} cargo test -p \
             stepdown-tests --test sim replay -- --nocapture\n",
            self.trace.join("\n"),
            violation.property,
            violation.at,
            violation.text,
            plan.seed,
        )
    }
}
