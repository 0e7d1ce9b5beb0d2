//! What happens to whole servers, and to the connections between them.

use fastrand::Rng;

use super::step::{SERVERS, Step};

/// What is done before a round, and what is done about it after that.
#[derive(Debug, Default)]
pub(super) struct Event {
    pub(super) before: Vec<Step>,
    pub(super) after: Vec<Step>,
}

/// One of the things that happen.
pub(super) fn event(chance: &mut Rng) -> Event {
    let at = chance.usize(..SERVERS);
    let other = (at + chance.usize(1..SERVERS)) % SERVERS;
    let end = if chance.bool() {
        Step::Kill(at)
    } else {
        Step::Stop(at)
    };
    let before = match chance.u8(..12) {
        0 => vec![],
        1 => return later(vec![end], vec![Step::Start(at)]),
        2..=4 => vec![end, Step::Start(at)],
        5 => vec![end, Step::Empty(at), Step::Start(at), Step::Bind(at)],
        6 => {
            let before = vec![end, Step::Empty(at), Step::Start(at)];
            return later(before, vec![Step::Bind(at)]);
        }
        7 | 8 => vec![end, Step::DropLogs(at), Step::Start(at)],
        9 => vec![Step::Break(at, other), Step::Break(other, at)],
        10 => return later(vec![Step::Close(at, other)], vec![Step::Open(at, other)]),
        _ => vec![end, Step::Kill(other), Step::Start(at), Step::Start(other)],
    };
    later(before, vec![])
}

fn later(before: Vec<Step>, after: Vec<Step>) -> Event {
    Event { before, after }
}
