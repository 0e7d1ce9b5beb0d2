//! The example is run, and tells the story that it promises.

#[path = "../examples/two_candidates.rs"]
#[expect(dead_code, reason = "`main` only prints what `run` tells")]
mod two_candidates;

#[test]
fn the_example_tells_of_a_conflict_that_costs_an_office_and_not_the_process() {
    let mut told = Vec::new();
    let ended = two_candidates::run(|line| told.push(line));
    let story = [
        "first: stores epoch 1: it is durable",
        "first: Candidate -> Leader: the fencing write is durable",
        "-- first falls asleep, and the lock is taken from it",
        "second: stores epoch 2: it is durable",
        "second: Candidate -> Leader: the fencing write is durable",
        "-- first wakes up, and believes that it leads",
        "first: Leader -> SteppingDown: the document is at version 2, written by the coordinator of \
         epoch 2, process 00000000000000000000000000000002",
        "first: SteppingDown -> Candidate: every task of the tenure has ended",
        "-- second is asked to stop",
        "second: Leader -> SteppingDown: the process was asked to stop",
        "second: SteppingDown -> Candidate: every task of the tenure has ended",
        "second: exits",
        "first: stores epoch 3: it is durable",
        "first: Candidate -> Leader: the fencing write is durable",
        "-- first is asked to stop",
        "first: Leader -> SteppingDown: the process was asked to stop",
        "first: SteppingDown -> Candidate: every task of the tenure has ended",
        "first: exits",
    ];
    assert_eq!(told, story);
    assert!(ended, "it came to its end");
}
