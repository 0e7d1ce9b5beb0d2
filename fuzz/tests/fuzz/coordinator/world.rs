//! One coordinator, and everything that it talks to.

use std::time::Duration;

use stepdown_core::{
    ConfigurationText, CoordinatorState, Effect, Event, Options, ProcessId, RequestId, Tenure,
    Timestamp, Timing,
};

use super::answers::{Servers, Store};
use super::rules::Rules;
use crate::choices::Choices;

const CONFIGURATIONS: [&str; 5] = [
    include_str!("../../../corpus/configuration/three-servers.yaml"),
    include_str!("../../../corpus/configuration/two-namespaces.yaml"),
    include_str!("../../../corpus/configuration/other-servers.yaml"),
    include_str!("../../../corpus/configuration/labels.yaml"),
    "servers: [",
];

pub struct World {
    machine: CoordinatorState,
    now: Timestamp,
    /// What is to be answered, in the order in which it was asked.
    asked: Vec<Effect>,
    store: Store,
    servers: Servers,
    rules: Rules,
    /// Everything that was told to it.
    told: Vec<(Timestamp, Event)>,
}

impl World {
    /// With one of the configurations, or none.
    pub fn new(configuration: usize) -> Self {
        let now = Timestamp(1_000_000_000);
        let mut world = Self {
            machine: CoordinatorState::new(options(), now),
            now,
            asked: Vec::new(),
            store: Store::default(),
            servers: Servers::default(),
            rules: Rules::default(),
            told: Vec::new(),
        };
        world.drain();
        if let Some(text) = CONFIGURATIONS.get(configuration) {
            world.configure(text);
        }
        world
    }

    pub fn step(&mut self, choice: u8, choices: &mut Choices<'_>) {
        match choice % 32 {
            0..=14 => self.answer(0, 0, choices),
            15..=17 => {
                let nth = choices.below(64);
                self.answer(nth, 0, choices);
            }
            18..=20 => {
                let nth = choices.below(16);
                let way = 1 + choices.below(12);
                self.answer(nth, way, choices);
            }
            21 | 22 => self.pass_to_deadline(),
            23 => self.pass(Duration::from_millis(choices.below(256) as u64 * 4)),
            24 => self.pass(Duration::from_millis(choices.below(256) as u64 * 400)),
            25 => self.configure(choices.one_of(&CONFIGURATIONS)),
            26 => self.store.written_by_others(choices),
            27 => self.tell(Event::StatusHinted),
            28 => {
                let event = self.leadership(choices);
                self.tell(event);
            }
            29 => {
                let event = self.stream(choices);
                self.tell(event);
            }
            30 => {
                let event = self.unasked(choices);
                self.tell(event);
            }
            // Few are asked to stop.
            _ if choices.below(16) == 0 => self.tell(Event::ShutdownRequested),
            _ => self.servers.forget(choices),
        }
    }

    /// The same events at the same times give the same machine.
    pub fn check_that_it_repeats(&self) {
        if !self.told.len().is_multiple_of(8) {
            return;
        }
        let mut again = CoordinatorState::new(options(), Timestamp(1_000_000_000));
        while again.poll_effect().is_some() {}
        for (now, event) in &self.told {
            again.handle(*now, event.clone());
            while again.poll_effect().is_some() {}
        }
        assert_eq!(again.fingerprint(), self.machine.fingerprint());
    }

    fn configure(&mut self, text: &str) {
        let read = ConfigurationText {
            source: "cluster.yaml".to_owned(),
            text: Some(text.to_owned()),
        };
        self.store.configuration = Some(read.clone());
        self.tell(Event::ConfigurationRead(read));
    }

    fn pass(&mut self, duration: Duration) {
        self.now = self.now.after(duration);
        self.tell(Event::TimePassed);
    }

    /// A deadline that has come leads somewhere, unless it is the end of time.
    fn pass_to_deadline(&mut self) {
        let Some((at, _)) = self.machine.poll_deadline() else {
            return;
        };
        self.now = self.now.max(at);
        let before = self.rules.effects;
        for _ in 0..16 {
            self.tell(Event::TimePassed);
            let next = self.machine.poll_deadline();
            let is_later = |next: Timestamp| next > self.now || next == Timestamp(u64::MAX);
            if self.rules.effects > before || next.is_none_or(|(next, _)| is_later(next)) {
                return;
            }
        }
        panic!(
            "it is woken for nothing: {:?}",
            self.machine.poll_deadline()
        );
    }

    fn answer(&mut self, nth: usize, way: usize, choices: &mut Choices<'_>) {
        if self.asked.is_empty() {
            return self.pass_to_deadline();
        }
        let effect = self.asked.remove(nth % self.asked.len());
        let event = match self.store.answer(&effect, way, choices) {
            Some(event) => Some(event),
            None => self.servers.answer(&effect, way, choices),
        };
        if let Some(event) = event {
            self.tell(event);
        }
    }

    fn leadership(&self, choices: &mut Choices<'_>) -> Event {
        let tenure = self.some_tenure(choices);
        let seconds = Duration::from_secs(choices.below(16) as u64);
        let authority = self.now.after(seconds);
        match choices.below(4) {
            0 => Event::LeadershipLost {
                tenure,
                reason: "taken".to_owned(),
            },
            1 => Event::LeadershipWon {
                tenure,
                authority: Some(authority),
            },
            2 => Event::AuthorityExtended { tenure, authority },
            _ => Event::Drained { tenure },
        }
    }

    fn stream(&self, choices: &mut Choices<'_>) -> Event {
        let tenure = self.some_tenure(choices);
        let request = self.rules.some_stream(choices);
        let error = self.servers.error(choices);
        match choices.below(4) {
            0 => Event::HealthWatchEnded {
                tenure,
                request,
                error,
            },
            1 => Event::PushEnded {
                tenure,
                request,
                error,
            },
            way => Event::HealthObserved {
                tenure,
                request,
                serving: way == 2,
            },
        }
    }

    /// The answer to what was asked of somebody else, or by nobody.
    fn unasked(&mut self, choices: &mut Choices<'_>) -> Event {
        let tenure = self.some_tenure(choices);
        let request =
            RequestId(self.rules.last_request.0.saturating_sub(8) + choices.below(12) as u64);
        if choices.below(2) == 0 {
            return Event::CallAnswered {
                tenure,
                request,
                result: self.servers.any_answer(choices),
            };
        }
        self.store.any_answer(tenure, request, choices)
    }

    fn some_tenure(&self, choices: &mut Choices<'_>) -> Tenure {
        let present = self.machine.tenure();
        match choices.below(8) {
            0 => Tenure(present.0.saturating_sub(1)),
            1 => present.next(),
            _ => present,
        }
    }

    fn tell(&mut self, event: Event) {
        self.rules.hear(&event);
        self.told.push((self.now, event.clone()));
        self.machine.handle(self.now, event);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(effect) = self.machine.poll_effect() {
            self.rules.check(&effect, &self.machine);
            match &effect {
                Effect::Cancel { request, .. } => {
                    self.asked.retain(|it| request_of(it) != Some(*request));
                }
                Effect::Call { .. }
                | Effect::Campaign { .. }
                | Effect::CloseOffice { .. }
                | Effect::Load { .. }
                | Effect::ReadConfiguration { .. }
                | Effect::ReadHead { .. }
                | Effect::Store { .. }
                | Effect::WatchHealth { .. } => self.asked.push(effect),
                Effect::Exit
                | Effect::ForgetServer { .. }
                | Effect::OpenOffice { .. }
                | Effect::PushAssignments { .. }
                | Effect::Release { .. }
                | Effect::Report(_) => {}
            }
        }
        self.rules.check_role(&self.machine);
    }
}

fn options() -> Options {
    Options {
        process: ProcessId(1),
        seed: 7,
        timing: Timing::default(),
    }
}

pub fn request_of(effect: &Effect) -> Option<RequestId> {
    match effect {
        Effect::Call { request, .. }
        | Effect::Load { request, .. }
        | Effect::PushAssignments { request, .. }
        | Effect::ReadConfiguration { request, .. }
        | Effect::ReadHead { request, .. }
        | Effect::Store { request, .. }
        | Effect::WatchHealth { request, .. } => Some(*request),
        Effect::Campaign { .. }
        | Effect::Cancel { .. }
        | Effect::CloseOffice { .. }
        | Effect::Exit
        | Effect::ForgetServer { .. }
        | Effect::OpenOffice { .. }
        | Effect::Release { .. }
        | Effect::Report(_) => None,
    }
}
