//! How nodes with empty disks come to be a cluster.
//!
//! A node's number is drawn when its disk is new, so one that comes back with an empty disk is
//! somebody else, and can't vote twice. A cluster is formed only by all who are listed together;
//! afterwards nobody gets in but by being added.

mod plan;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use self::plan::{Answers, Plan, Waiting, plan};
use super::network::{Connections, Greeter, Introduction, StrangerKind, Strangers};
use super::node::Node;

/// So many rounds in a row must come to the same, so that a cluster that takes this node for one that
/// was here before has called.
const CALM: u32 = 4;
/// For how long such a call counts.
const CLAIM: Duration = Duration::from_secs(5);
/// Between two rounds of greetings.
const PAUSE: Duration = Duration::from_millis(300);
/// How often it is said again for whom the node waits.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Greets those that are listed until the node is of a cluster.
pub(super) async fn form(
    node: Arc<Node>,
    connections: Connections,
    introduction: Introduction,
    strangers: Strangers,
) {
    let own = introduction.member().address.clone();
    let others = introduction.bootstrap().iter().filter(|it| **it != own);
    let greeters: BTreeMap<String, Greeter> = others
        .map(|address| (address.clone(), connections.greeter(address)))
        .collect();
    let mut said = Said::default();
    let mut claims = Claims::default();
    let mut calm = 0;
    let mut was_new = false;
    // A node that has stopped takes part in nothing, and says so elsewhere.
    while let Ok(false) = node.is_formed().await {
        was_new = true;
        let answers = greet(&introduction, &greeters).await;
        introduction.claimed(claims.are_made(&strangers));
        match plan(&introduction.greeting(false), &answers) {
            Plan::Wait(waiting) => {
                calm = 0;
                said.say(&waiting);
            }
            Plan::Form(_) if calm < CALM => calm += 1,
            Plan::Form(members) => {
                let count = members.len();
                match node.form(members).await {
                    Ok(()) => info!(members = count, "Formed a new cluster"),
                    Err(error) => error!(
                        error = &error as &dyn std::error::Error,
                        "The cluster can't be formed"
                    ),
                }
            }
        }
        sleep(PAUSE).await;
    }
    if was_new {
        info!("This node has become part of a cluster");
    }
}

async fn greet(introduction: &Introduction, greeters: &BTreeMap<String, Greeter>) -> Answers {
    let answers = greeters.iter().map(async |(address, greeter)| {
        let answer = greeter.greet(introduction.greeting(false)).await;
        if let Ok(greeting) = &answer {
            introduction.reached(address, greeting.node);
        }
        (address.clone(), answer.map_err(|error| error.to_string()))
    });
    join_all(answers).await.into_iter().collect()
}

/// Calls for a node that was here before this one.
#[derive(Default)]
struct Claims {
    count: u64,
    last: Option<Instant>,
}

impl Claims {
    fn are_made(&mut self, strangers: &Strangers) -> bool {
        let counts = strangers.counts();
        let count = counts.get(&StrangerKind::AnotherNode).copied().unwrap_or(0);
        if count > self.count {
            self.count = count;
            self.last = Some(Instant::now());
        }
        self.last.is_some_and(|last| last.elapsed() < CLAIM)
    }
}

/// For whom it was said last that the node waits, and when.
#[derive(Default)]
struct Said(Option<(String, Instant)>);

impl Said {
    fn say(&mut self, waiting: &Waiting) {
        let subject = waiting.subject();
        let is_known = self
            .0
            .as_ref()
            .is_some_and(|(said, at)| *said == subject && at.elapsed() < SAY_EVERY);
        if !is_known {
            warn!("{waiting}");
            self.0 = Some((subject, Instant::now()));
        }
    }
}
