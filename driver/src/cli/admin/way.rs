//! From the coordinator that was asked to the one that leads.

use std::fmt;

use crate::cli::visible::visible;

/// How often the way is shown on.
const HOPS: usize = 3;

/// Those who were asked, the last one last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    before: Vec<String>,
    end: String,
}

impl Way {
    pub(super) fn new(address: String) -> Self {
        Self {
            before: Vec::new(),
            end: address,
        }
    }

    /// Who is asked now.
    pub(super) fn end(&self) -> &str {
        &self.end
    }

    /// Who was asked first.
    pub(super) fn start(&self) -> &str {
        self.before.first().unwrap_or(&self.end)
    }

    /// Who has named the end, if anybody has.
    pub(super) fn named_by(&self) -> Option<&str> {
        self.before.last().map(String::as_str)
    }

    /// Goes on to whom the end has named, unless that leads nowhere.
    pub(super) fn go_on(&mut self, leader: &str) -> bool {
        let is_new = self.end != leader && self.before.iter().all(|it| it != leader);
        let goes_on = is_new && self.before.len() < HOPS;
        if goes_on {
            let end = std::mem::replace(&mut self.end, leader.to_owned());
            self.before.push(end);
        }
        goes_on
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(&self.end))?;
        for named_by in self.before.iter().rev() {
            write!(f, ", named by {}", visible(named_by))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_who_was_asked_is_named_and_nobody_is_asked_twice() {
        let mut way = Way::new("a:1".to_owned());
        assert_eq!(way.to_string(), "a:1");
        for (leader, goes_on) in [
            ("a:1", false),
            ("b:1", true),
            ("a:1", false),
            ("c:1", true),
            ("d:1", true),
            ("e:1", false),
        ] {
            assert_eq!(way.go_on(leader), goes_on, "{leader}");
        }
        assert_eq!((way.start(), way.end()), ("a:1", "d:1"));
        assert_eq!(way.named_by(), Some("c:1"));
        let told = "d:1, named by c:1, named by b:1, named by a:1";
        assert_eq!(way.to_string(), told);
    }
}
