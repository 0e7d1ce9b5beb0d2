//! The model data servers against real Oxia data servers (`OXIA_BIN`).

use std::time::Instant;

use futures_util::{StreamExt, stream};
use stepdown_core::call::{Binding, CallErrorKind, EntryId};
use stepdown_tests::differential::{
    Ask, Batch, Difference, Play, Real, Said, Step, batch, head, hurt,
};
use stepdown_tests::oxia::oxia;

const NONE: EntryId = EntryId::NONE;

/// A step, and what must be heard.
type Line = (Step, Option<Said>);

fn fence(at: usize, term: i64, heard: EntryId) -> Line {
    asks(at, Ask::NewTerm(term), Said::Fenced(heard))
}

fn lead(at: usize, term: i64, followers: &[(usize, EntryId)]) -> Line {
    asks(at, Ask::BecomeLeader(term, followers.to_vec()), Said::Led)
}

fn add(at: usize, term: i64, follower: usize, head: EntryId) -> Line {
    asks(at, Ask::AddFollower(term, follower, head), Said::Added)
}

fn write(at: usize) -> Line {
    asks(at, Ask::Write, Said::Written)
}

fn bind(at: usize, binding: Binding) -> Line {
    asks(at, Ask::Handshake, Said::Bound(binding))
}

fn refused(at: usize, ask: Ask, kind: CallErrorKind) -> Line {
    asks(at, ask, Said::Refused(kind))
}

fn unanswered(at: usize, ask: Ask) -> Line {
    asks(at, ask, Said::Nothing)
}

fn asks(at: usize, ask: Ask, heard: Said) -> Line {
    (Step::Ask(at, ask), Some(heard))
}

fn done(step: Step) -> Line {
    (step, None)
}

fn restarted(at: usize) -> [Line; 2] {
    [done(Step::Kill(at)), done(Step::Start(at))]
}

fn emptied(at: usize) -> [Line; 3] {
    [
        done(Step::Kill(at)),
        done(Step::Empty(at)),
        done(Step::Start(at)),
    ]
}

fn without_logs(at: usize) -> [Line; 3] {
    [
        done(Step::Kill(at)),
        done(Step::DropLogs(at)),
        done(Step::Start(at)),
    ]
}

/// Server 0 leads in term 1 and everybody has so many entries.
fn led(entries: usize) -> Vec<Line> {
    let mut lines: Vec<Line> = (0..3).map(|at| fence(at, 1, NONE)).collect();
    lines.push(lead(0, 1, &[(1, NONE), (2, NONE)]));
    lines.extend((0..entries).map(|_| write(0)));
    lines
}

/// Server 1, whose log is lost, leads server 2, which has lost everything, in term 2.
fn led_without_a_log() -> Vec<Line> {
    sequence([
        led(3),
        vec![
            done(Step::Kill(0)),
            fence(1, 1, head(1, 2)),
            done(Step::Start(0)),
        ],
        without_logs(1).into(),
        emptied(2).into(),
        vec![
            bind(2, Binding::Bound),
            fence(1, 2, NONE),
            fence(2, 2, NONE),
            lead(1, 2, &[(2, NONE)]),
        ],
    ])
}

fn sequence<const N: usize>(parts: [Vec<Line>; N]) -> Vec<Line> {
    parts.into_iter().flatten().collect()
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn table() -> Vec<(&'static str, Vec<Line>)> {
    use CallErrorKind::{InvalidStatus, InvalidTerm, NotInitialized, NotLeader, Other};
    vec![
        (
            "one that was restarted is no member until it is opened",
            sequence([
                led(2),
                restarted(0).into(),
                restarted(1).into(),
                vec![
                    bind(1, Binding::AlreadyBound),
                    fence(1, 2, head(1, 1)),
                    fence(2, 2, head(1, 1)),
                ],
            ]),
        ),
        (
            "one that was emptied is bound anew and has no head",
            sequence([
                led(2),
                vec![done(Step::Kill(0))],
                emptied(2).into(),
                vec![
                    refused(2, Ask::NewTerm(2), NotInitialized),
                    bind(2, Binding::Bound),
                    fence(2, 2, NONE),
                    done(Step::Start(0)),
                ],
            ]),
        ),
        (
            "whoever was fenced refuses term -1",
            sequence([
                led(1),
                vec![
                    refused(0, Ask::NewTerm(-1), InvalidTerm),
                    refused(1, Ask::NewTerm(-1), InvalidTerm),
                    done(Step::Kill(0)),
                ],
                restarted(1).into(),
                vec![
                    refused(1, Ask::NewTerm(-1), InvalidTerm),
                    done(Step::Start(0)),
                ],
            ]),
        ),
        (
            "one without data that is not open refuses term -1 by its status, and is open then",
            vec![
                refused(1, Ask::NewTerm(-1), InvalidStatus),
                refused(1, Ask::NewTerm(-1), InvalidStatus),
                refused(1, Ask::BecomeLeader(-1, vec![]), InvalidStatus),
                fence(0, 1, NONE),
                fence(2, 1, NONE),
                lead(0, 1, &[(1, NONE), (2, NONE)]),
                write(0),
                fence(1, 1, NONE),
            ],
        ),
        (
            "one without data that is open to follow takes term -1",
            sequence([
                vec![
                    fence(0, 1, NONE),
                    fence(2, 1, NONE),
                    lead(0, 1, &[(1, NONE), (2, NONE)]),
                    write(0),
                    fence(1, -1, NONE),
                    write(0),
                    fence(1, -1, NONE),
                ],
                restarted(1).into(),
                vec![fence(1, 2, NONE)],
            ]),
        ),
        (
            "one that lost its disk is no member for as long as its leader has the whole log",
            sequence([
                led(3),
                emptied(2).into(),
                vec![
                    bind(2, Binding::Bound),
                    done(Step::Settle),
                    write(0),
                    done(Step::Settle),
                ],
            ]),
        ),
        (
            "a leader without a log feeds an empty one by a snapshot",
            sequence([
                led_without_a_log(),
                vec![
                    done(Step::Settle),
                    // Offsets 0 and 1, which nobody else takes; then 2.
                    write(1),
                    write(1),
                    write(1),
                    fence(2, 3, head(2, 2)),
                ],
            ]),
        ),
        (
            "one whose log begins later takes the log of one that has all before it",
            sequence([
                led(3),
                vec![done(Step::Kill(2)), write(0), done(Step::Stop(1))],
                vec![done(Step::DropLogs(1)), done(Step::Start(1))],
                vec![
                    fence(0, 2, head(1, 3)),
                    fence(1, 2, NONE),
                    lead(0, 2, &[(1, NONE)]),
                    done(Step::Start(2)),
                    fence(1, 3, head(1, 3)),
                    fence(2, 3, head(1, 2)),
                    lead(1, 3, &[(2, head(1, 2))]),
                    // It had a log of its own.
                    fence(2, 4, NONE),
                ],
            ]),
        ),
        (
            "one that was fed by a snapshot writes from the beginning again",
            sequence([
                led_without_a_log(),
                vec![
                    fence(1, 3, NONE),
                    fence(2, 3, NONE),
                    lead(2, 3, &[(1, NONE)]),
                    write(2),
                    fence(1, 4, NONE),
                ],
            ]),
        ),
        (
            "one without a log does not lead one with a log",
            sequence([
                led(3),
                without_logs(1).into(),
                vec![
                    done(Step::Kill(0)),
                    fence(1, 2, NONE),
                    fence(2, 2, head(1, 2)),
                    refused(1, Ask::BecomeLeader(2, vec![(2, head(1, 2))]), InvalidTerm),
                    lead(2, 2, &[(1, NONE)]),
                    write(2),
                ],
            ]),
        ),
        (
            "a follower that is longer is truncated",
            sequence([
                led(1),
                vec![
                    fence(1, 2, head(1, 0)),
                    fence(2, 2, head(1, 0)),
                    unanswered(0, Ask::Write),
                    unanswered(0, Ask::Write),
                    lead(1, 2, &[(2, head(1, 0))]),
                    write(1),
                    fence(0, 2, head(1, 2)),
                    add(1, 2, 0, head(1, 2)),
                    write(1),
                ],
            ]),
        ),
        (
            "a follower of another term that is shorter than the common point can't be truncated",
            vec![
                fence(0, 1, NONE),
                lead(0, 1, &[]),
                unanswered(0, Ask::Write),
                unanswered(0, Ask::Write),
                fence(1, 2, NONE),
                lead(1, 2, &[]),
                unanswered(1, Ask::Write),
                fence(0, 3, head(1, 1)),
                fence(2, 3, NONE),
                lead(0, 3, &[(2, NONE)]),
                write(0),
                fence(0, 4, head(3, 2)),
                fence(1, 4, head(2, 0)),
                fence(2, 4, head(3, 2)),
                refused(
                    0,
                    Ask::BecomeLeader(4, vec![(1, head(2, 0)), (2, head(3, 2))]),
                    Other,
                ),
                refused(
                    0,
                    Ask::BecomeLeader(4, vec![(1, head(2, 0)), (2, head(3, 2))]),
                    InvalidStatus,
                ),
                fence(0, 5, head(3, 2)),
                fence(2, 5, head(3, 2)),
                fence(1, 5, head(2, 0)),
                lead(0, 5, &[(2, head(3, 2))]),
                refused(0, Ask::AddFollower(5, 1, head(2, 0)), Other),
            ],
        ),
        (
            "a truncation compares no terms",
            vec![
                fence(0, 1, NONE),
                lead(0, 1, &[]),
                unanswered(0, Ask::Write),
                unanswered(0, Ask::Write),
                fence(1, 2, NONE),
                lead(1, 2, &[]),
                unanswered(1, Ask::Write),
                unanswered(1, Ask::Write),
                unanswered(1, Ask::Write),
                fence(0, 3, head(1, 1)),
                fence(2, 3, NONE),
                lead(0, 3, &[(2, NONE)]),
                write(0),
                fence(0, 4, head(3, 2)),
                fence(1, 4, head(2, 2)),
                fence(2, 4, head(3, 2)),
                lead(0, 4, &[(1, head(2, 2)), (2, head(3, 2))]),
                write(0),
                fence(1, 5, head(4, 3)),
            ],
        ),
        (
            "wrong heads of followers are refused",
            sequence([
                led(2),
                vec![
                    fence(0, 2, head(1, 1)),
                    fence(1, 2, head(1, 1)),
                    refused(0, Ask::BecomeLeader(2, vec![(1, head(2, 1))]), InvalidTerm),
                    refused(0, Ask::BecomeLeader(1, vec![(1, head(1, 1))]), InvalidTerm),
                    refused(0, Ask::BecomeLeader(3, vec![(1, head(1, 1))]), InvalidTerm),
                    lead(0, 2, &[(1, head(1, 5))]),
                    write(0),
                ],
            ]),
        ),
        (
            "followers are added to a leader only, in its term, and no more than there is room for",
            sequence([
                led(1),
                vec![
                    add(0, 1, 1, head(1, 0)),
                    refused(0, Ask::AddFollower(2, 1, NONE), InvalidTerm),
                    refused(1, Ask::AddFollower(1, 2, NONE), NotLeader),
                    refused(0, Ask::AddFollower(1, 0, NONE), Other),
                    fence(0, 2, head(1, 0)),
                    refused(0, Ask::AddFollower(2, 1, NONE), NotLeader),
                ],
            ]),
        ),
        (
            "a shard is deleted in its term or a later one",
            sequence([
                led(1),
                vec![
                    refused(1, Ask::DeleteShard(0), InvalidTerm),
                    asks(1, Ask::DeleteShard(1), Said::Deleted),
                    asks(1, Ask::DeleteShard(0), Said::Deleted),
                    done(Step::Settle),
                    fence(1, 2, NONE),
                ],
            ]),
        ),
        (
            "one that was never fenced is deleted in no term, and no other one",
            vec![
                refused(1, Ask::NewTerm(-1), InvalidStatus),
                asks(1, Ask::DeleteShard(-1), Said::Deleted),
                done(Step::Settle),
                fence(1, 0, NONE),
                refused(1, Ask::DeleteShard(-1), InvalidTerm),
            ],
        ),
        (
            "one that is not open and refuses to be deleted can't be opened",
            sequence([
                led(1),
                vec![done(Step::Kill(0))],
                restarted(1).into(),
                vec![
                    refused(1, Ask::DeleteShard(0), InvalidTerm),
                    refused(1, Ask::NewTerm(2), Other),
                    done(Step::Start(0)),
                ],
            ]),
        ),
        (
            "a leader that refuses to be deleted is closed for good",
            sequence([
                led(1),
                vec![
                    refused(0, Ask::DeleteShard(0), InvalidTerm),
                    refused(0, Ask::NewTerm(2), Other),
                    refused(0, Ask::DeleteShard(1), Other),
                ],
            ]),
        ),
        (
            "two that lead in one term depose one another",
            sequence([
                led(1),
                vec![
                    lead(1, 1, &[(2, head(1, 0))]),
                    done(Step::Settle),
                    done(Step::Settle),
                ],
            ]),
        ),
        (
            "a leader that was made twice in one term feeds by its first stream",
            vec![
                fence(0, 1, NONE),
                lead(0, 1, &[]),
                unanswered(0, Ask::Write),
                fence(0, 2, head(1, 0)),
                fence(1, 2, NONE),
                done(Step::Kill(1)),
                unanswered(0, Ask::BecomeLeader(2, vec![(1, NONE)])),
                unanswered(0, Ask::BecomeLeader(2, vec![(1, NONE)])),
                done(Step::Start(1)),
                done(Step::Settle),
                unanswered(0, Ask::BecomeLeader(2, vec![(1, NONE)])),
            ],
        ),
        (
            "a follower hears what is committed with an entry only",
            sequence([
                led(2),
                vec![
                    fence(0, 2, head(1, 1)),
                    fence(1, 2, head(1, 1)),
                    lead(0, 2, &[(1, head(1, 1))]),
                    done(Step::Kill(0)),
                    fence(1, 3, head(1, 1)),
                    // Alone it can't commit the last entry.
                    unanswered(1, Ask::BecomeLeader(3, vec![])),
                ],
            ]),
        ),
        (
            "a frozen leader takes no writes",
            sequence([
                led(1),
                vec![
                    refused(0, Ask::Freeze(2, true), InvalidTerm),
                    refused(1, Ask::Freeze(1, true), NotLeader),
                    asks(0, Ask::Freeze(1, true), Said::Frozen(0)),
                    refused(0, Ask::Write, NotLeader),
                    asks(0, Ask::Freeze(1, false), Said::Frozen(0)),
                    write(0),
                    fence(0, 2, head(1, 1)),
                    refused(0, Ask::Freeze(2, true), InvalidStatus),
                ],
            ]),
        ),
    ]
}

fn told(difference: Difference) -> String {
    difference.to_string()
}

async fn play(real: &mut Real, shard: i64, lines: Vec<Line>) -> Result<String, String> {
    let mut play = Play::new(real, shard, 3);
    for (step, heard) in lines {
        match &step {
            Step::Ask(at, ask) => {
                let said = play.ask(*at, ask).await.map_err(told)?;
                if Some(&said) != heard.as_ref() {
                    return Err(format!("\n{}not {heard:?}", play.history()));
                }
            }
            Step::Settle => play.rest().await.map_err(told)?,
            Step::Bind(_)
            | Step::Break(..)
            | Step::Close(..)
            | Step::DropLogs(_)
            | Step::Empty(_)
            | Step::Kill(_)
            | Step::Open(..)
            | Step::Start(_)
            | Step::Stop(_) => {
                hurt(real, &step).await;
                play.note(&step).map_err(told)?;
            }
        }
        play.settle().await.map_err(told)?;
    }
    for at in 0..3 {
        play.read(at).await.map_err(told)?;
    }
    Ok(play.history().to_owned())
}

/// What was found by hand, one line of it after the other.
#[tokio::test(flavor = "multi_thread")]
async fn the_model_says_what_real_servers_say_in_the_cases_that_were_found_by_hand() {
    let Some(oxia) = oxia() else { return };
    let mut real = Real::start(&oxia).await;
    let only = std::env::var("REPLICA_CASE").unwrap_or_default();
    let mut failures = Vec::new();
    for (shard, (name, lines)) in (1..).zip(table()) {
        if !name.contains(&only) {
            continue;
        }
        match play(&mut real, shard, lines).await {
            Ok(history) => println!("{name}:\n{history}"),
            Err(difference) => failures.push(format!("{name}: {difference}")),
        }
        for at in 0..3 {
            if !real.up().get(at).unwrap() {
                hurt(&mut real, &Step::Start(at)).await;
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Sequences that share three servers.
const SHARING: usize = 50;
/// Threes of servers that run at once.
const AT_ONCE: usize = 3;

/// `REPLICA_SEQUENCES` says how many; `REPLICA_SEED` and `REPLICA_SEQUENCE` repeat one.
#[tokio::test(flavor = "multi_thread")]
async fn the_model_does_what_real_servers_do_in_random_sequences() {
    let Some(oxia) = oxia() else { return };
    let number = |name: &str| {
        let text = std::env::var(name).ok()?;
        text.parse::<u64>().ok()
    };
    let night = std::env::var("STEPDOWN_TESTS").is_ok_and(|it| it == "night");
    let first = number("REPLICA_SEED").unwrap_or_else(|| fastrand::u64(..));
    let only = number("REPLICA_SEQUENCE").map(|at| usize::try_from(at).unwrap());
    let usual = if night { 2_000 } else { 50 };
    let count = match only {
        Some(_) => SHARING,
        None => usize::try_from(number("REPLICA_SEQUENCES").unwrap_or(usual)).unwrap(),
    };
    let began = Instant::now();
    let batches = (0..count).step_by(SHARING).zip(first..).map(|(at, seed)| {
        let sequences = SHARING.min(count - at);
        batch(&oxia, seed, sequences, only)
    });
    let mut batches = stream::iter(batches).buffer_unordered(AT_ONCE);
    let mut total = Batch::default();
    while let Some(batch) = batches.next().await {
        total.add(batch);
        println!("{total} in {:.0} s", began.elapsed().as_secs_f64());
    }
    println!("{:?}", total.answers);
    assert!(total.differences.is_empty(), "{total}");
}
