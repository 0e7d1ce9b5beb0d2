//! With what logs the leaders of a shard began, as the document keeps it: `0@none 2@0/29 3-5@2/31`, the
//! log of the leader of term 2 ended with offset 29 of term 0, and so on. Oxia knows no such key, and
//! drops it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::call::EntryId;
use crate::id::Term;

/// So many bytes are taken up in a document, by those of the last terms.
pub(super) const MOST: usize = 200;

/// So many of the last terms are kept in full.
const LAST: usize = 4;

/// With what logs the leaders of a shard's last terms began, the last term last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Beginnings(Vec<Beginning>);

/// Who was told to lead in one of these terms, if anybody was, had a log that ended like this; `None` if
/// that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// The first of the terms.
    pub first: Term,
    /// The last of them.
    pub last: Term,
    /// The last entry of the log.
    pub head: Option<EntryId>,
}

impl Beginnings {
    /// Those of a new shard: whoever leads in its first term begins with nothing.
    #[must_use]
    pub fn of_new() -> Self {
        let (first, last, head) = (Term(0), Term(0), Some(EntryId::NONE));
        Self(vec![Beginning { first, last, head }])
    }

    /// Keeps the last ones of those that can be: of later terms than the one before, with a log of
    /// earlier ones. Before any is dropped, those are that go without saying but for the offset.
    #[must_use]
    pub fn of_last(all: impl IntoIterator<Item = Beginning>) -> Self {
        let mut kept: Vec<Beginning> = Vec::new();
        for it in all {
            if it.can_follow(kept.last()) {
                kept.push(it);
            }
        }
        // More would never fit.
        kept.drain(..kept.len().saturating_sub(MOST));
        let bytes = |it: &Beginning| it.to_string().len() + 1;
        let mut all: usize = kept.iter().map(bytes).sum();
        while all > MOST {
            let implied = Self::implied(&kept).next();
            let dropped = kept.remove(implied.unwrap_or(0));
            all -= bytes(&dropped);
        }
        Self(kept)
    }

    /// Those that may be dropped before what is older: of one term, with a log that ended in the term
    /// before, as is taken to be so of every term between those that are kept. Where the next one began
    /// with an older log, the offset tells the two apart, and is worth more; so it is of the last ones.
    pub(crate) fn implied(all: &[Beginning]) -> impl Iterator<Item = usize> + '_ {
        let old = all.len().saturating_sub(LAST);
        let pairs = all.iter().zip(all.iter().skip(1));
        let pairs = pairs.enumerate().take(old).skip(1);
        pairs.filter_map(|(index, (it, next))| {
            let goes_on = it.head.is_some_and(|head| head.term.next() == it.first);
            let is_gone_on_from = next.head.is_some_and(|head| head.term >= it.first);
            (it.first == it.last && goes_on && is_gone_on_from).then_some(index)
        })
    }

    /// Somebody else has written the document: in its term anybody may have been told to lead. Where
    /// nothing is known, that goes without saying.
    #[must_use]
    pub(crate) fn with_unknown(&self, term: Term) -> Self {
        let is_known = self.0.last().is_none_or(|it| it.last >= term);
        let unknown = Beginning {
            first: term,
            last: term,
            head: None,
        };
        let unknown = Some(unknown).filter(|_| !is_known);
        Self::of_last(self.0.iter().copied().chain(unknown))
    }

    /// All of them, in the order of terms.
    pub fn iter(&self) -> impl Iterator<Item = &Beginning> {
        self.0.iter()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Beginning {
    fn can_follow(&self, before: Option<&Self>) -> bool {
        let is_later = before.is_none_or(|before| before.last < self.first);
        let is_head = self
            .head
            .is_none_or(|head| head.is_of_a_log_before(self.first));
        is_later && Term(0) <= self.first && self.first <= self.last && is_head
    }
}

impl fmt::Display for Beginnings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, beginning) in self.iter().enumerate() {
            let space = if index > 0 { " " } else { "" };
            write!(f, "{space}{beginning}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Beginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last, head } = self;
        write!(f, "{}", first.0)?;
        if last > first {
            write!(f, "-{}", last.0)?;
        }
        match head {
            None => write!(f, "@unknown"),
            Some(EntryId::NONE) => write!(f, "@none"),
            Some(head) => write!(f, "@{}/{}", head.term.0, head.offset),
        }
    }
}

/// Why a text says nothing of the logs of leaders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is to look like `2@0/29 3-5@2/31`, terms and the last entry of the log that their leaders \
     began with, of lesser terms, in the order of terms; without the key they are taken to be unknown"
)]
pub struct BeginningsError;

impl From<Beginnings> for String {
    fn from(beginnings: Beginnings) -> Self {
        beginnings.to_string()
    }
}

impl TryFrom<String> for Beginnings {
    type Error = BeginningsError;

    fn try_from(text: String) -> Result<Self, BeginningsError> {
        text.parse()
    }
}

impl FromStr for Beginnings {
    type Err = BeginningsError;

    fn from_str(text: &str) -> Result<Self, BeginningsError> {
        let all = text.split_whitespace().map(beginning);
        let all: Vec<Beginning> = all.collect::<Option<_>>().ok_or(BeginningsError)?;
        let before = std::iter::once(None).chain(all.iter().map(Some));
        if !all
            .iter()
            .zip(before)
            .all(|(it, before)| it.can_follow(before))
        {
            return Err(BeginningsError);
        }
        Ok(Self::of_last(all))
    }
}

fn beginning(text: &str) -> Option<Beginning> {
    let (terms, head) = text.split_once('@')?;
    let (first, last) = terms.split_once('-').unwrap_or((terms, terms));
    let head = match (head, head.split_once('/')) {
        ("none", _) => Some(EntryId::NONE),
        ("unknown", _) => None,
        (_, Some((term, offset))) => Some(EntryId {
            term: number(term).map(Term)?,
            offset: number(offset)?,
        }),
        (_, None) => return None,
    };
    Some(Beginning {
        first: number(first).map(Term)?,
        last: number(last).map(Term)?,
        head,
    })
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in [
            "",
            "0@none",
            "0-1@none 2@0/29 3-5@2/31",
            "7-9@6/0 12@9/400",
            "3@unknown 4-6@3/7 7-9@unknown",
        ] {
            let beginnings: Beginnings = text.parse().unwrap();
            assert_eq!(beginnings.to_string(), text);
            assert_eq!(beginnings.is_empty(), text.is_empty());
        }
    }

    #[test]
    fn of_many_the_last_ones_are_kept() {
        let all = (1..40).map(|it| format!("{}@{}/{}", it * 2, it * 2 - 2, it * 1_000));
        let text = all.collect::<Vec<_>>().join(" ");
        let beginnings: Beginnings = text.parse().unwrap();
        let kept = beginnings.to_string();
        assert!(
            text.ends_with(&kept) && kept.len() <= MOST && kept.len() > MOST - 12,
            "{kept}"
        );
    }

    #[test]
    fn of_many_those_go_first_that_go_on_from_the_term_before() {
        let first = "0@none 1@0/9 2@1/20 3-5@2/28 6@2/31 7@unknown";
        let more = (8..40).map(|it| format!(" {it}@{}/{}", it - 1, it * 1_000));
        let text = first.to_owned() + &more.collect::<String>();
        let beginnings: Beginnings = text.parse().unwrap();
        let kept = beginnings.to_string();
        assert!(kept.len() <= MOST && kept.len() > MOST - 16, "{kept}");
        let rest = kept.strip_prefix("0@none 3-5@2/28 6@2/31 7@unknown ");
        assert!(text.ends_with(rest.unwrap()), "{kept}");
        assert_eq!(kept.parse(), Ok(beginnings));
    }

    #[test]
    fn what_could_not_be_read_is_not_kept() {
        let of = |first, last, term, offset| Beginning {
            first: Term(first),
            last: Term(last),
            head: Some(EntryId {
                term: Term(term),
                offset,
            }),
        };
        let all = [
            of(-1, -1, -1, -1),
            of(0, 0, -1, 3),
            of(0, 0, -1, -1),
            of(1, 1, 0, 29),
            of(1, 2, 0, 29),
            of(3, 2, 0, 29),
            of(3, 3, 3, 1),
            of(3, 3, 2, -1),
            of(4, 4, 2, 31),
        ];
        assert_eq!(Beginnings::of_last(all).to_string(), "0@none 1@0/29 4@2/31");
    }

    #[test]
    fn what_can_not_be_is_refused() {
        for text in [
            "1",
            "1@",
            "@0/1",
            "1@0",
            "1@0/",
            "x@0/1",
            "1@x/1",
            "1@0/x",
            "1-@0/1",
            "1@-1/2",
            "2@0/-1",
            "1@1/0",
            "1@2/0",
            "3-2@0/1",
            "2@0/1 2@0/1",
            "3@0/1 2@0/1",
            "2-4@0/1 3@0/1",
            "99999999999999999999@0/1",
        ] {
            assert_eq!(text.parse::<Beginnings>(), Err(BeginningsError), "{text}");
        }
    }
}
