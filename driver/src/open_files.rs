//! How many files and connections the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Enough for as many connections as all ports take, and for the rest.
const ENOUGH: u64 = 4_096;

/// What to tell of a limit for which ports take fewer connections than they could.
pub(crate) fn too_few() -> Option<String> {
    let limit = getrlimit(Resource::Nofile).current?;
    told_of(limit)
}

fn told_of(limit: u64) -> Option<String> {
    (limit < ENOUGH).then(|| {
        format!(
            "no more than {limit} files and connections may be open, so each port takes few connections: allow {ENOUGH} at least (LimitNOFILE= of systemd, ulimit -Hn)"
        )
    })
}

/// Takes as many as it may have. The usual limit, 1,024, is meant for programs that use `select`: here
/// one connection too many would keep peers, the store and data servers away.
pub fn allow_all() {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // Without it, the usual limit holds.
    let _ = setrlimit(Resource::Nofile, all);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_leaves_ports_fewer_connections_is_told() {
        assert!(told_of(1_024).is_some_and(|told| told.contains("1024")));
        assert_eq!(told_of(ENOUGH), None);
    }

    #[test]
    fn as_many_as_there_may_be_are_allowed() {
        allow_all();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
