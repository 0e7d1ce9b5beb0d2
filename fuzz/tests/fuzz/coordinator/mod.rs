//! The coordinator's machine, with any events in any order.

mod answers;
mod rules;
mod world;

use stepdown_fuzz::feed;

use self::world::World;
use crate::choices::Choices;

/// So many things happen at most.
const STEPS: usize = 600;

#[test]
fn a_coordinator_keeps_its_rules_whatever_happens_in_whatever_order() {
    feed("coordinator", |bytes| {
        let mut choices = Choices::new(bytes);
        let mut world = World::new(choices.below(4));
        for _ in 0..STEPS {
            let Some(choice) = choices.next() else {
                break;
            };
            world.step(choice, &mut choices);
        }
        world.check_that_it_repeats();
    });
}
