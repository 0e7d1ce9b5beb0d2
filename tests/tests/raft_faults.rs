//! Three coordinators that keep their documents among themselves, on networks that lose what is sent
//! one way, on disks that take long, that are full, or that are put back to what they were, and with a
//! log that was compacted while one was away; and somebody writes meanwhile.
#![cfg(target_os = "linux")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test"
)]

use std::fs;
use std::process::ExitStatus;
use std::time::Duration;

use stepdown_backends::raft::admin::AdminClient;
use stepdown_tests::coordinators::{
    AUTHORITY, Coordinators, SlowDisk, SmallDisk, TOLD, Wires, Writer, can_be_slow, is_within, name,
};
use stepdown_tests::fleet::Offices;
use stepdown_wire::raft::AddRequest;
use tokio::sync::Mutex;
use tokio::time::sleep;

/// One cluster at a time: all want the same processors.
static TURN: Mutex<()> = Mutex::const_new(());
const COUNT: usize = 3;
/// So much is written while a follower is cut off, or slow.
const MEANWHILE: u64 = 50;
const LOOK: Duration = Duration::from_millis(50);

async fn started(mut them: Coordinators) -> (Coordinators, Writer) {
    them.words = TOLD.map(Into::into).into();
    for index in 0..COUNT {
        them.start(index);
    }
    them.leader().await;
    let writer = Writer::start(them.client());
    writer.goes_on(&mut them, 1).await;
    (them, writer)
}

/// Nothing is lost, and never were two in office at once.
async fn ended(mut them: Coordinators, writer: Writer, offices: &Offices) {
    writer.nothing_is_lost(&mut them).await;
    println!("{} numbers were written", writer.acknowledged());
    drop(writer);
    them.end_all(offices).await;
}

/// Who does not hear whom.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// Nobody hears this one, who hears the others.
    Mute,
    /// This one hears nobody, who hear it.
    Deaf,
}

impl Cut {
    /// From whom to whom nothing arrives, if this one is cut off so.
    fn ways(self, one: usize) -> impl Iterator<Item = (usize, usize)> {
        let others = (0..COUNT).filter(move |other| *other != one);
        others.map(move |other| match self {
            Self::Mute => (one, other),
            Self::Deaf => (other, one),
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_loses_what_is_sent_one_way_costs_at_most_a_leader() {
    let _turn = TURN.lock().await;
    if !is_within("a_network_that_loses_what_is_sent_one_way_costs_at_most_a_leader") {
        return;
    }
    let wires = Wires::new(COUNT);
    let (mut them, writer) = started(Coordinators::on(&wires, COUNT)).await;
    let mut offices = Offices::with_authority(AUTHORITY);
    for cut in [Cut::Mute, Cut::Deaf] {
        let leader = them.leader().await;
        cut.ways(leader).for_each(|(from, to)| wires.cut(from, to));
        let next = them.leader_but(Some(leader)).await;
        writer.goes_on(&mut them, MEANWHILE).await;
        println!("{cut:?}: {next} leads for {leader}");
        cut.ways(leader).for_each(|(from, to)| wires.mend(from, to));
        writer.goes_on(&mut them, 1).await;
        writer.nothing_is_lost(&mut them).await;

        let leader = them.leader().await;
        let follower = (leader + 1) % COUNT;
        cut.ways(follower)
            .for_each(|(from, to)| wires.cut(from, to));
        writer.goes_on(&mut them, MEANWHILE).await;
        cut.ways(follower)
            .for_each(|(from, to)| wires.mend(from, to));
        is_needed(&mut them, follower, &writer, &mut offices).await;
    }
    ended(them, writer, &offices).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_takes_long_costs_at_most_a_leader() {
    let _turn = TURN.lock().await;
    if !can_be_slow() {
        return;
    }
    let (mut them, writer) = started(Coordinators::new(COUNT)).await;
    for delay in [300, 3_000].map(Duration::from_millis) {
        let leader = them.leader().await;
        let follower = (leader + 1) % COUNT;
        let pid = |them: &mut Coordinators, index| {
            let pid = them.process(index).process().pid();
            pid.expect("it runs")
        };
        let slow = SlowDisk::of(pid(&mut them, follower), delay);
        writer.goes_on(&mut them, MEANWHILE).await;
        drop(slow);
        let slow = SlowDisk::of(pid(&mut them, leader), delay);
        writer.goes_on(&mut them, MEANWHILE).await;
        println!("{delay:?}: {} leads, {leader} led", them.leader().await);
        drop(slow);
        writer.nothing_is_lost(&mut them).await;
    }
    ended(them, writer, &Offices::with_authority(AUTHORITY)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_ends_its_coordinator_in_words_and_costs_nobody_else() {
    let _turn = TURN.lock().await;
    if !is_within("a_disk_that_is_full_ends_its_coordinator_in_words_and_costs_nobody_else") {
        return;
    }
    let wires = Wires::new(COUNT);
    let them = Coordinators::on(&wires, COUNT);
    let disks: Vec<_> = (0..COUNT)
        .map(|index| SmallDisk::at(them.data_dir(index)))
        .collect();
    let (mut them, writer) = started(them).await;
    let mut offices = Offices::with_authority(AUTHORITY);
    for is_leaders in [false, true] {
        let leader = them.leader().await;
        let full = if is_leaders {
            leader
        } else {
            (leader + 1) % COUNT
        };
        disks[full].fill();
        let ended = loop {
            if let Some(ended) = ended_by_itself(&mut them, full) {
                break ended;
            }
            sleep(LOOK).await;
        };
        offices.interrupt(&name(full));
        assert_eq!(ended.code(), Some(1));
        let said = them.log(full);
        let last = said.lines().last().unwrap_or_default();
        let file = them.data_dir(full).join("raft.redb");
        for word in ["No space left on device", &file.display().to_string()] {
            assert!(last.contains(word), "{last}");
        }
        writer.goes_on(&mut them, MEANWHILE).await;

        disks[full].empty();
        them.restart(full);
        is_needed(&mut them, full, &writer, &mut offices).await;
    }
    ended(them, writer, &offices).await;
}

fn ended_by_itself(them: &mut Coordinators, index: usize) -> Option<ExitStatus> {
    them.process(index).process_mut().ended().expect("asked")
}

/// This one takes part: without it there would be no majority.
async fn is_needed(them: &mut Coordinators, index: usize, writer: &Writer, offices: &mut Offices) {
    let other = (index + 1) % COUNT;
    them.kill(other);
    offices.interrupt(&name(other));
    writer.goes_on(them, MEANWHILE).await;
    writer.nothing_is_lost(them).await;
    them.restart(other);
    writer.goes_on(them, 1).await;
    writer.nothing_is_lost(them).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_coordinator_that_was_away_while_the_log_was_compacted_is_sent_the_documents() {
    let _turn = TURN.lock().await;
    let (mut them, writer) = started(Coordinators::new(COUNT)).await;
    let mut offices = Offices::with_authority(AUTHORITY);
    let leader = them.leader().await;
    let away = (leader + 1) % COUNT;
    them.kill(away);
    offices.interrupt(&name(away));
    writer.goes_on(&mut them, MEANWHILE).await;
    compact_all_but(&them, away).await;
    let made = them.status(leader, "a snapshot", |it| it.snapshot.is_some());
    let made = made.await.snapshot;
    writer.goes_on(&mut them, MEANWHILE).await;
    them.restart(away);
    // It has made none itself.
    let sent = them.status(away, "the documents", |it| it.snapshot >= made);
    assert!(sent.await.applied >= made);
    is_needed(&mut them, away, &writer, &mut offices).await;
    ended(them, writer, &offices).await;
}

async fn compact_all_but(them: &Coordinators, one: usize) {
    for index in (0..COUNT).filter(|index| *index != one) {
        let there = AdminClient::new(vec![them.addresses[index].clone()], None).expect("no TLS");
        there.take_snapshot().await.expect("a snapshot");
    }
}

/// Nobody should do this.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_on_an_older_copy_of_its_directory_ends_in_words_until_it_begins_with_an_empty_one()
 {
    let _turn = TURN.lock().await;
    let (mut them, writer) = started(Coordinators::new(COUNT)).await;
    let mut offices = Offices::with_authority(AUTHORITY);
    for is_compacted in [false, true] {
        let (older, ended) = put_back(&mut them, &writer, &mut offices, is_compacted).await;
        assert_eq!(ended.code(), Some(1));
        let said = them.log(older);
        let last = said.lines().last().unwrap_or_default();
        assert!(
            last.contains("started on an older copy of its directory"),
            "{last}"
        );
        writer.goes_on(&mut them, MEANWHILE).await;
        writer.nothing_is_lost(&mut them).await;

        fs::remove_dir_all(them.data_dir(older)).expect("it has ended");
        them.restart(older);
        let (client, address) = (them.client(), them.addresses[older].clone());
        them.until("the node to be taken in", async |_| {
            let request = AddRequest {
                address: address.clone(),
                learner: false,
            };
            let added = client.add(request).await.ok()?;
            added.catching_up.is_none().then_some(())
        })
        .await;
        all_have_it(&mut them).await;
        is_needed(&mut them, older, &writer, &mut offices).await;
    }
    ended(them, writer, &offices).await;
}

/// Starts a follower on an older copy of its directory, while its leader leads on that it has acknowledged
/// more to, and which has dropped some of that from its log or not. Says which it was, and how it ended.
async fn put_back(
    them: &mut Coordinators,
    writer: &Writer,
    offices: &mut Offices,
    is_compacted: bool,
) -> (usize, ExitStatus) {
    loop {
        let leader = them.leader().await;
        let term = them.status(leader, "its term", |_| true).await.term;
        let older = (leader + 1) % COUNT;
        let file = them.data_dir(older).join("raft.redb");
        let copy = file.with_extension("copy");
        them.kill(older);
        offices.interrupt(&name(older));
        fs::copy(&file, &copy).expect("it has ended");
        them.restart(older);
        writer.goes_on(them, MEANWHILE).await;
        all_have_it(them).await;
        if is_compacted {
            compact_all_but(them, older).await;
            them.status(leader, "a snapshot", |it| it.snapshot.is_some())
                .await;
        }
        them.kill(older);
        offices.interrupt(&name(older));
        fs::rename(&copy, &file).expect("it has ended");
        them.restart(older);
        // It has acknowledged nothing to another leader, nor to this one in another term.
        let (client, address) = (them.client(), them.addresses[leader].clone());
        let leads_on = async || {
            let status = client.status_of(&address).await;
            status.map_or(true, |status| status.term == term)
        };
        while leads_on().await {
            if let Some(ended) = ended_by_itself(them, older) {
                offices.interrupt(&name(older));
                return (older, ended);
            }
            sleep(LOOK).await;
        }
        println!("{leader} does not lead on, so nobody knows what {older} had");
        all_have_it(them).await;
    }
}

/// Every node has what is stored by now.
async fn all_have_it(them: &mut Coordinators) {
    let leader = them.leader().await;
    let stored = them.status(leader, "an answer", |_| true).await.applied;
    for index in 0..COUNT {
        them.status(index, "what is stored", |it| it.applied >= stored)
            .await;
    }
}
