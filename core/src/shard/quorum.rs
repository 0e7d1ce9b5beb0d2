//! Who has to agree: a majority of every ensemble by which something may have been acknowledged.
//!
//! While one member takes another's place there are two, and a leader needs a majority of each, as in
//! Raft's joint consensus (Ongaro, Ousterhout: In Search of an Understandable Consensus Algorithm, 6).
//! Which two is in the document: the ensemble as it is to be, whose last member is the new one, and the
//! node that was removed, in whose place that is.

use std::collections::BTreeSet;

use crate::cluster::{DataServerIdentity, ShardMetadata};
use crate::id::ServerId;

/// The ensembles, each by its members' ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Quorum(Vec<BTreeSet<ServerId>>);

impl Quorum {
    /// Of a shard as it is stored.
    pub(super) fn of(shard: &ShardMetadata) -> Self {
        let ids = |servers: &mut dyn Iterator<Item = &DataServerIdentity>| -> BTreeSet<ServerId> {
            servers.map(DataServerIdentity::id).collect()
        };
        let (ensemble, removed) = (distinct(&shard.ensemble), distinct(&shard.removed_nodes));
        let mut ensembles = vec![ids(&mut ensemble.iter().copied())];
        match (removed.as_slice(), ensemble.split_last()) {
            ([], _) | (_, None) => {}
            ([before], Some((_, stay))) => {
                ensembles.push(ids(&mut stay.iter().copied().chain([*before])));
            }
            // Nobody writes that; which ensembles there were is not known, but that all of these may have been
            // in the places of the last ones.
            (several, Some(_)) => {
                let stay = ensemble.len().saturating_sub(several.len());
                let stay = ensemble.iter().take(stay);
                ensembles.push(ids(&mut stay.chain(several).copied()));
                ensembles.push(ids(&mut ensemble.iter().chain(several).copied()));
            }
        }
        Self(ensembles)
    }

    /// Whether enough of each ensemble are so.
    pub(super) fn is_met(&self, is_so: impl Fn(&ServerId) -> bool) -> bool {
        let met = |ensemble: &BTreeSet<ServerId>| {
            let some = ensemble.iter().filter(|id| is_so(id)).count();
            some > ensemble.len() / 2
        };
        self.0.iter().all(met)
    }

    /// Whether a majority of any ensemble may have what these lack.
    pub(super) fn may_have(&self, lacking: &BTreeSet<ServerId>) -> bool {
        self.0.iter().any(|ensemble| {
            let rest = ensemble.difference(lacking).count();
            rest > ensemble.len() / 2
        })
    }
}

/// Those with addresses of their own: a broken document may name one twice.
pub(super) fn distinct<'a>(
    servers: impl IntoIterator<Item = &'a DataServerIdentity>,
) -> Vec<&'a DataServerIdentity> {
    let mut distinct: Vec<&DataServerIdentity> = Vec::new();
    for server in servers {
        if !distinct.iter().any(|it| it.internal == server.internal) {
            distinct.push(server);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str) -> DataServerIdentity {
        DataServerIdentity {
            name: Some(name.into()),
            public: format!("{name}:6648").into(),
            internal: format!("{name}:6649").into(),
        }
    }

    fn quorum(ensemble: &str, removed: &str) -> Quorum {
        let servers = |names: &str| names.split_whitespace().map(server).collect();
        Quorum::of(&ShardMetadata {
            ensemble: servers(ensemble),
            removed_nodes: servers(removed),
            ..ShardMetadata::default()
        })
    }

    fn is_met(quorum: &Quorum, by: &str) -> bool {
        quorum.is_met(|id| by.split_whitespace().any(|it| *id.0 == *it))
    }

    #[test]
    fn a_majority_of_the_ensemble_is_enough_where_nobody_takes_anybodys_place() {
        let three = quorum("a b c", "");
        assert!(is_met(&three, "a c") && is_met(&three, "a b c"));
        assert!(!is_met(&three, "a") && !is_met(&three, "a x y"));
        let two = quorum("a b", "");
        assert!(is_met(&two, "a b") && !is_met(&two, "a"));
        assert!(!is_met(&quorum("", ""), "a"));
    }

    #[test]
    fn a_majority_of_either_ensemble_is_needed_while_one_takes_anothers_place() {
        // d for c: a b c, and a b d.
        let three = quorum("a b d", "c");
        for enough in ["a b", "a c d", "b c d"] {
            assert!(is_met(&three, enough), "{enough}");
        }
        for few in ["c d", "a c", "a d", "c", ""] {
            assert!(!is_met(&three, few), "{few}");
        }
        let two = quorum("a d", "b");
        assert!(is_met(&two, "a b d"));
        assert!(!is_met(&two, "a b") && !is_met(&two, "a d"));
    }

    #[test]
    fn where_several_were_removed_those_that_may_have_been_before_are_asked_too() {
        let torn = quorum("c n1 n2", "r1 r2");
        assert!(!is_met(&torn, "c n1 n2"), "r1 and r2 may have more");
        assert!(is_met(&torn, "c n1 r1"));
        assert!(is_met(&torn, "n1 n2 r1 r2"));
    }

    #[test]
    fn any_two_majorities_of_either_ensemble_meet() {
        let all = ["a", "b", "c", "d", "e", "f"];
        for (ensemble, removed) in [
            ("a b d", "c"),
            ("a d", "b"),
            ("a b c f", "d"),
            ("a b c d f", "e"),
        ] {
            let joint = quorum(ensemble, removed);
            for before in &joint.0 {
                for chosen in 0_u32..1 << all.len() {
                    let of = |mask: u32| {
                        let chosen = all
                            .iter()
                            .enumerate()
                            .filter(move |(at, _)| mask >> at & 1 == 1);
                        chosen
                            .map(|(_, id)| ServerId((*id).into()))
                            .collect::<BTreeSet<_>>()
                    };
                    let chosen = of(chosen);
                    if !joint.is_met(|id| chosen.contains(id)) {
                        continue;
                    }
                    for others in 0_u32..1 << all.len() {
                        let wrote = of(others);
                        let is_majority = wrote.intersection(before).count() > before.len() / 2;
                        assert!(!is_majority || !chosen.is_disjoint(&wrote));
                    }
                }
            }
        }
    }

    #[test]
    fn a_majority_may_have_what_too_few_of_any_ensemble_lack() {
        let lacking = |names: &str| {
            names
                .split_whitespace()
                .map(|it| ServerId(it.into()))
                .collect()
        };
        let joint = quorum("a b d", "c");
        assert!(joint.may_have(&lacking("a")));
        assert!(joint.may_have(&lacking("c d")));
        assert!(joint.may_have(&lacking("a d")), "b and c may");
        assert!(!joint.may_have(&lacking("a b")));
        assert!(!joint.may_have(&lacking("a c d")));
    }

    #[test]
    fn an_address_that_is_named_twice_counts_once() {
        let mut broken = ShardMetadata {
            ensemble: vec![server("a"), server("b"), server("b")],
            ..ShardMetadata::default()
        };
        if let Some(last) = broken.ensemble.last_mut() {
            last.name = Some("c".into());
        }
        assert!(is_met(&Quorum::of(&broken), "a b"));
        assert!(!is_met(&Quorum::of(&broken), "a c"));
    }
}
