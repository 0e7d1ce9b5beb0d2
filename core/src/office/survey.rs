//! What is known, for whoever plans from it.

use std::collections::BTreeMap;

use super::Office;
use super::moves::TRIES;
use crate::balance::{Plan, Survey};
use crate::context::Context;
use crate::server::{Reach, ServerController};

impl Office {
    /// A copy of all that a plan follows from; `None` while there is no configuration.
    pub(crate) fn survey(&self, context: &Context) -> Option<Survey> {
        let configuration = self.configuration.clone()?;
        let limits = self.limits(context);
        let (moves, now) = (&self.moves, context.now);
        let those = |is_one: &dyn Fn(&ServerController) -> bool| {
            let servers = self.servers.iter();
            let servers = servers.filter(|(_, server)| is_one(server));
            servers.map(|(id, _)| id.clone()).collect()
        };
        let features = self.servers.iter();
        let features = features.filter_map(|(id, it)| Some((id.clone(), it.features()?.clone())));
        let resting = moves.resting.iter().filter(|(_, until)| **until > now);
        let tired = moves.failed.iter();
        let tired = tired.filter(|(_, (times, until))| *times >= TRIES && *until > now);
        let stuck = moves.unfit.iter().chain(&moves.stuck);
        let stuck = stuck.map(|(id, it)| (*id, it.clone()));
        let fresh = moves.came.iter().filter(|(_, until)| **until > now);
        let declined = moves.declined.iter().filter(|(_, until)| **until > now);
        Some(Survey {
            status: self.ledger.working().clone(),
            stored: self.ledger.accepted().clone(),
            configuration,
            servers: self.servers.keys().cloned().collect(),
            running: those(&|server| server.reach() == Reach::Running),
            lasting: those(&|server| server.is_lasting(context)),
            features: features.collect::<BTreeMap<_, _>>(),
            under_way: moves.under_way.values().map(|it| it.step.clone()).collect(),
            handed: moves.handings.under_way.values().cloned().collect(),
            planned: Plan {
                moves: moves.planned.iter().cloned().collect(),
                handings: moves.handings.planned.iter().cloned().collect(),
                stuck: stuck.chain(moves.held_back(limits)).collect(),
                later: moves.later.clone(),
            },
            refused: self.refused.clone(),
            held: self.held_back_now(),
            waiting: Vec::new(),
            resting: resting.map(|(id, _)| *id).collect(),
            most: limits.most,
            each: limits.each,
            tired: tired.map(|(id, _)| *id).collect(),
            fresh: fresh.map(|(key, _)| key.clone()).collect(),
            declined: declined.map(|(key, _)| key.clone()).collect(),
            settled: moves.handings.settled(&self.ledger, now),
        })
    }
}
