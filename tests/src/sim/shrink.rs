//! A failing plan made small: proptest's way, replaying the plan and not the seed.

use proptest::strategy::ValueTree;

use super::check::Violation;
use super::machine::Factory;
use super::plan::{Bounds, Plan};
use super::run::run;

/// The smallest plan found that still fails in the same property.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The plan.
    pub plan: Plan,
    /// How it fails.
    pub violation: Violation,
}

/// Shrinks a seed's plan, in at most `tries` runs. `None` where it does not fail.
pub fn shrink(seed: u64, bounds: Bounds, factory: &dyn Factory, tries: u32) -> Option<Shrunk> {
    let mut tree = Plan::tree(seed, bounds);
    let plan = tree.current();
    let violation = run(&plan, factory).violation?;
    let mut best = Shrunk { plan, violation };
    let mut simpler = tree.simplify();
    for _ in 0..tries {
        if !simpler {
            break;
        }
        let plan = tree.current();
        let failed = run(&plan, factory)
            .violation
            .filter(|violation| violation.property == best.violation.property);
        simpler = match failed {
            Some(violation) => {
                best = Shrunk { plan, violation };
                tree.simplify()
            }
            None => tree.complicate(),
        };
    }
    Some(best)
}
