//! Who led in an earlier term, and has not heard that it does no more, while another member leaves.

use super::exchanged::{configuration, shard, steady};
use super::given_up::holdups;
use super::leader;
use crate::balance::Holdup;
use crate::call::CallErrorKind;
use crate::scripted::World;

fn deletions(world: &World) -> usize {
    world.calls("DeleteShard")
}

/// One that does not lead leaves, and the leader answers nothing meanwhile.
fn left() -> (World, String) {
    let mut world = steady();
    let led_by = leader(&world);
    for call in [
        "GetStatus",
        "NewTerm",
        "BecomeLeader",
        "CheckHealth",
        "Handshake",
    ] {
        world
            .failing
            .insert((led_by.clone(), call), CallErrorKind::Unreachable);
    }
    let leaves = (1..=3).find(|at| led_by != format!("s{at}:6649")).unwrap();
    let stay: Vec<u32> = (1..=4).filter(|at| *at != leaves).collect();
    world.log.clear();
    world.configure(Some(&configuration(&stay)));
    world.run_for(20_000);
    (world, led_by)
}

#[test]
fn nothing_is_deleted_while_one_may_still_lead_those_that_would_forget_their_term() {
    let (mut world, led_by) = left();
    assert_ne!(leader(&world), led_by);
    assert_eq!(deletions(&world), 0, "it could be fed again by {led_by}");
    let behind = Holdup::Behind(crate::ServerId(led_by.replace(":6649", "").into()));
    let left: Vec<Holdup> = holdups(&world).into_iter().map(|it| it.1).collect();
    assert_eq!(left, [behind]);
    world.failing.clear();
    world.run_for(400_000);
    assert_eq!(deletions(&world), 1);
    assert_eq!(shard(&world).pending_delete_shard_nodes, []);
}
