//! Why a round has no majority: how many of how many, and what each of the others is missing for.

use std::collections::BTreeMap;

use super::Fencing;
use crate::id::ServerId;
use crate::shard::context::ShardContext;
use crate::shard::missing::named;

impl Fencing {
    /// So few are fenced, or may yet be; each of the others is named once, with what it said last.
    pub(super) fn too_few(&self) -> String {
        self.told("no majority was fenced", self.missing())
    }

    /// They were fenced, and too many of them are away since.
    pub(super) fn no_more_there(&self, cx: &ShardContext<'_>) -> String {
        let mut missing = self.missing();
        let away = self.votes.iter().filter(|vote| cx.is_away(&vote.server));
        missing.extend(away.map(|vote| (vote.server.id(), "it is away again".to_owned())));
        self.told(
            "of those that were fenced no majority is there now",
            missing,
        )
    }

    fn told(&self, what: &str, missing: BTreeMap<ServerId, String>) -> String {
        let of = self.recall.len();
        let forgot = self.recall.forgetful();
        let forgot = forgot.filter(|id| !missing.contains_key(id)).count();
        let there = of.saturating_sub(missing.len() + forgot);
        let names = named(missing.iter().map(|(id, why)| (id, why.as_str())));
        let lost = self.recall.lost().unwrap_or_default();
        let causes = [names, lost].into_iter().filter(|it| !it.is_empty());
        let causes: Vec<_> = causes.collect();
        format!("{what} ({there} of {of}): {}", causes.join("; "))
    }

    /// Those that failed to be fenced, and those of which nothing was known when they could have been.
    fn missing(&self) -> BTreeMap<ServerId, String> {
        let unheard = self.recall.silent();
        let mut missing: BTreeMap<ServerId, String> = unheard
            .map(|(id, why)| (id.clone(), why.to_owned()))
            .collect();
        missing.extend(self.failures.clone());
        missing.retain(|id, _| !self.votes.iter().any(|vote| vote.server.id() == *id));
        missing
    }
}
