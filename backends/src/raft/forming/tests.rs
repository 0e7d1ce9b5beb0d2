use std::collections::BTreeMap;

use super::plan::{Answers, Plan, Waiting, plan};
use crate::raft::network::Greeting;
use crate::raft::types::{Member, NodeId};

const LISTED: [&str; 3] = ["a:1", "b:1", "c:1"];

fn member(address: &str) -> Member {
    Member {
        name: format!("at {address}"),
        address: address.to_owned(),
    }
}

/// A new node that has reached the others, numbered from 1.
fn node(address: &str) -> Greeting {
    let numbers = (1..).zip(LISTED);
    let numbers: BTreeMap<String, NodeId> = numbers.map(|(id, it)| (it.to_owned(), id)).collect();
    Greeting {
        node: numbers[address],
        member: member(address),
        bootstrap: LISTED.map(str::to_owned).into(),
        reached: numbers
            .into_iter()
            .filter(|(it, _)| it != address)
            .collect(),
        ..Greeting::default()
    }
}

fn answers(greetings: impl IntoIterator<Item = Greeting>) -> Answers {
    let answers = greetings.into_iter();
    answers
        .map(|it| (it.member.address.clone(), Ok(it)))
        .collect()
}

fn waits(own: &Greeting, answers: &Answers) -> Waiting {
    match plan(own, answers) {
        Plan::Wait(waiting) => waiting,
        Plan::Form(members) => panic!("it forms a cluster of {members:?}"),
    }
}

/// The one address that is waited for, and why.
fn obstacle(own: &Greeting, answers: &Answers) -> (String, String) {
    match waits(own, answers) {
        Waiting::Listed(mut all) if all.len() == 1 => {
            let it = all.remove(0);
            (it.address, it.reason)
        }
        waiting @ (Waiting::Addition { .. }
        | Waiting::Claimed { .. }
        | Waiting::First(_)
        | Waiting::Leader(_)
        | Waiting::Listed(_)) => panic!("{waiting:?}"),
    }
}

#[test]
fn only_the_first_by_address_forms_the_cluster_once_all_have_answered() {
    let all = (1..).zip(LISTED).map(|(id, it)| (id, member(it))).collect();
    let to_a = answers([node("b:1"), node("c:1")]);
    assert_eq!(plan(&node("a:1"), &to_a), Plan::Form(all));
    let to_b = answers([node("a:1"), node("c:1")]);
    let waiting = waits(&node("b:1"), &to_b);
    assert_eq!(waiting, Waiting::First("a:1".to_owned()));
}

#[test]
fn a_node_that_lists_only_itself_forms_at_once() {
    let own = Greeting {
        bootstrap: ["a:1".to_owned()].into(),
        ..node("a:1")
    };
    let alone = Plan::Form([(1, member("a:1"))].into());
    assert_eq!(plan(&own, &Answers::new()), alone);
}

#[test]
fn whoever_is_away_is_waited_for_by_address_and_reason() {
    let mut heard = answers([node("b:1")]);
    assert_eq!(obstacle(&node("a:1"), &heard).0, "c:1");
    heard.insert("c:1".to_owned(), Err("connection refused".to_owned()));
    let waiting = waits(&node("a:1"), &heard);
    assert_eq!(waiting.subject(), "c:1");
    let text = waiting.to_string();
    for part in ["Waiting for c:1 (connection refused) to form", "raft add"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn nothing_is_formed_beside_a_cluster_that_is_there() {
    let formed = Greeting {
        is_formed: true,
        ..node("c:1")
    };
    let waiting = waits(&node("a:1"), &answers([node("b:1"), formed.clone()]));
    let text = waiting.to_string();
    for part in ["c:1", "empty", "`stepdown raft add a:1`"] {
        assert!(text.contains(part), "{text}");
    }
    let knows = Greeting {
        has_member: true,
        ..formed
    };
    let waiting = waits(&node("a:1"), &answers([node("b:1"), knows]));
    assert_eq!(waiting, Waiting::Leader("c:1".to_owned()));
}

#[test]
fn nothing_is_formed_while_a_cluster_calls_for_who_was_here_before() {
    let claimed = |address| Greeting {
        is_claimed: true,
        ..node(address)
    };
    let waiting = waits(&claimed("a:1"), &answers([node("b:1"), node("c:1")]));
    let text = waiting.to_string();
    assert!(text.contains("calls for another node at a:1"), "{text}");
    let (address, reason) = obstacle(&node("a:1"), &answers([node("b:1"), claimed("c:1")]));
    assert_eq!(address, "c:1");
    assert!(reason.contains("calls for another node"), "{reason}");
}

#[test]
fn a_node_that_lists_nobody_waits_to_be_added() {
    let own = Greeting {
        bootstrap: [].into(),
        ..node("a:1")
    };
    let text = waits(&own, &Answers::new()).to_string();
    assert!(text.contains("`stepdown raft add a:1`"), "{text}");
}

#[test]
fn nothing_is_formed_while_two_claim_an_address_or_do_not_reach_each_other() {
    let mut confused = node("b:1");
    confused.reached.insert("a:1".to_owned(), 99);
    let (address, reason) = obstacle(&node("a:1"), &answers([confused, node("c:1")]));
    assert_eq!(address, "b:1");
    assert!(reason.contains("another node at a:1"), "{reason}");
    let mut lonely = node("c:1");
    lonely.reached.remove("b:1");
    let (address, reason) = obstacle(&node("a:1"), &answers([node("b:1"), lonely]));
    assert_eq!(address, "c:1");
    assert!(reason.contains("not reached b:1"), "{reason}");
}

#[test]
fn nothing_is_formed_with_a_node_of_another_list_or_at_another_address() {
    let other = Greeting {
        bootstrap: ["b:1".to_owned()].into(),
        ..node("b:1")
    };
    let (_, reason) = obstacle(&node("a:1"), &answers([other, node("c:1")]));
    assert!(reason.contains("another list"), "{reason}");
    let mut heard = answers([node("c:1")]);
    heard.insert("b:1".to_owned(), Ok(node("c:1")));
    let (_, reason) = obstacle(&node("a:1"), &heard);
    assert!(reason.contains("says that it is at c:1"), "{reason}");
}

#[test]
fn nothing_is_formed_while_two_have_one_name() {
    let named_like = |address: &str, other: &str| Greeting {
        member: Member {
            name: member(other).name,
            address: address.to_owned(),
        },
        ..node(address)
    };
    for (other, of) in [("a:1", "b:1"), ("b:1", "c:1")] {
        let heard = answers([node("b:1"), node("c:1"), named_like(of, other)]);
        let (address, reason) = obstacle(&node("a:1"), &heard);
        assert_eq!(address, of);
        let words = format!("the name of the node at {other}, at {other}: ");
        assert!(reason.contains(&words), "{reason}");
        assert!(reason.contains("metadata.name"), "{reason}");
    }
}
